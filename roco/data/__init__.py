"""Data sets: their declarations and readers (sets/), and the split and fingerprinted images that later steps read."""
