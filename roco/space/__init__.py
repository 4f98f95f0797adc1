"""The search space: genomes, phenotypes and their complexity, without torch."""
