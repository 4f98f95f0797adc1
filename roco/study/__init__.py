"""A whole study: where its files are, how far it is, what it will cost. Nothing here computes a result."""
