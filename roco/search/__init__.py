"""The search: population files, variation (Algorithm 1), survival and fronts (pymoo). No torch here."""
