"""Networks whose training failed, one line each."""

import pandas as pd

from roco.report.read.collect import Study


def failures(study: Study) -> list[str]:
    """Failed retrainings, then failed evaluations of the search, with the reason."""
    networks = study.networks[study.networks["status"] == "failed"]
    evaluations = study.evaluations[study.evaluations["status"] == "failed"].drop_duplicates(["key", "seed"])
    seeds = study.networks["training_seed"].nunique()
    retrained = [
        line
        for seed, failed in networks.groupby("training_seed", sort=True)
        for line in _reasons(failed, f"retrained with seed {seed}" if seeds > 1 else "retrained")
    ]
    return [*retrained, *_reasons(evaluations, "in the search")]


def _reasons(failed: pd.DataFrame, when: str) -> list[str]:
    rows = zip(failed["key"], failed["search"], failed["seed"], failed["reason"], strict=True)
    return [f"{key} ({search}, seed {seed}, {when}): {reason}" for key, search, seed, reason in rows]
