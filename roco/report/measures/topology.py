"""The features of a network's graph, after the decoder's repairs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pandas as pd

from roco.space.genome import Genome, Phenotype

FEATURES: Mapping[str, tuple[str, Callable[[Phenotype], float]]] = MappingProxyType(
    {
        "phases": ("active phases", lambda network: len(network.phases)),
        "depth": ("depth: nodes on the longest path", lambda network: sum(phase.depth for phase in network.phases)),
        "width": ("width: most nodes side by side", lambda network: sum(phase.width for phase in network.phases)),
        "nodes": ("nodes", lambda network: sum(len(phase.inputs) for phase in network.phases)),
        "edges": ("edges between nodes", lambda network: sum(phase.edges for phase in network.phases)),
        "ends": (
            "ends: nodes that feed an output",
            lambda network: sum(len(phase.outputs) for phase in network.phases),
        ),
        "residual": ("phases with the residual bit", lambda network: sum(phase.residual for phase in network.phases)),
    }
)


def described_networks(networks: pd.DataFrame) -> pd.DataFrame:
    """Search, seed and key of each network, with a column for each feature of its phenotype.

    Args:
        networks: with columns search, seed, key and genome.
    """
    phenotypes = [Genome.parse(text).phenotype for text in networks["genome"]]
    features = {name: [float(count(p)) for p in phenotypes] for name, (_, count) in FEATURES.items()}
    return networks[["search", "seed", "key"]].assign(**features)
