"""Training: from a recipe and images to trained weights, of one network or of many that are trained together."""
