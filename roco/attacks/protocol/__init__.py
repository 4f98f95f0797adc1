"""The protocol of white-box attacks on a retrained network. Importing this imports torch."""

from roco.attacks.protocol.attacked import Memory
from roco.attacks.protocol.evaluation import evaluate_robustness

__all__ = ["Memory", "evaluate_robustness"]
