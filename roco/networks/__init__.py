"""Networks as torch modules: the decoder of genomes, the targets, and their weights as files."""
