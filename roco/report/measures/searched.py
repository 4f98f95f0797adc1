"""What the searches did: every network that they evaluated, and the course of their hypervolume."""

import pandas as pd

from roco.report.read.collect import INITIAL, Study
from roco.search.hypervolume import hypervolumes

# The objectives of the hypervolume: those of every search, and these with the adversarial error.
VOLUMES = (("error", "flops"), ("error", "adversarial_error", "flops"))


def hypervolume_course(study: Study) -> pd.DataFrame:
    """The hypervolume of each generation, in the objectives that all searches share and with the adversarial one."""
    parts = [hypervolumes(study.populations, names).assign(objectives=" ".join(names)) for names in VOLUMES]
    return pd.concat(parts, ignore_index=True)


NETWORK = ["search", "seed", "key", "genome", "generation", "last", "front"]
NETWORK += ["error", "adversarial_error", "flops", "parameters"]


def searched_networks(study: Study) -> pd.DataFrame:
    """Every network that a search evaluated, as the search saw it; failed trainings are left out.

    `generation` is the first in which the search evaluated it (0: the first population, which all searches of a seed
    share), `last` the last in which it survived (missing if it never did), `front` whether it is in the search's final
    front.
    """
    run = ["search", "seed"]
    searches = study.populations[run].drop_duplicates()
    own = study.evaluations.merge(searches, on=run)
    shared = study.evaluations[study.evaluations["search"] == INITIAL].drop(columns="search").merge(searches, on="seed")
    seen = pd.concat([shared, own], ignore_index=True)
    seen = seen[seen["status"] == "ok"].sort_values([*run, "generation", "flops", "key"], kind="stable")
    seen = seen.drop_duplicates([*run, "key"])
    last = study.populations.groupby([*run, "key"])["generation"].max().rename("last").reset_index()
    members = study.fronts[[*run, "key"]].assign(front=True)
    networks = seen.merge(last, on=[*run, "key"], how="left").merge(members, on=[*run, "key"], how="left")
    return networks.assign(front=networks["front"].eq(True))[NETWORK].reset_index(drop=True)
