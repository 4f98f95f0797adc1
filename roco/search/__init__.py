"""The search: evaluation of genomes, population files, variation (Algorithm 1), survival and fronts (pymoo)."""
