"""Attacks: those that make the adversarial sets (`l0`, `linf`, `sets`) and those on retrained networks (`white_box`,
`protocol`).

An attack is one file: its settings, its title, its cost and what it does. It never judges itself. The files of attacks
import torch inside their functions, so that reading a configuration does not import it.
"""
