"""Networks of genomes that are trained as one: K of them lie side by side in the channels of one tensor.

Start with stack.py. layout.py says which networks have which node and where their weights lie, phases.py computes a
phase with torch's operators, fused.py the same with the Triton kernels of kernels.py, which GPUs use.
"""
