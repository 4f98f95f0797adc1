"""Stacks: K networks of genomes that are trained as one module, side by side in the channels of one tensor.

Start with stack.py. layout.py lists which networks have which node, and rows.py where their weights lie. phases.py
computes a phase with torch's operators; fused.py computes the same on GPUs with the Triton kernels of kernels.py.
"""
