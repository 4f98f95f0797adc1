"""The search space: genomes and phenotypes (no torch), their complexity, and the networks that they decode to."""
