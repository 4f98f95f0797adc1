"""Data sets: readers of many sources, and the split and fingerprinted set that later steps read."""
