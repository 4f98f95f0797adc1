"""The search space: genomes, phenotypes and their complexity. Never torch."""
