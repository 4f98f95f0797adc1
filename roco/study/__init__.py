"""A whole study: its files, its progress, and what it will cost. Nothing here computes a result."""
