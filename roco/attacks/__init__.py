"""Attacks: the adversarial sets made before the search (L0, Linf), and white-box attacks on finished networks."""
