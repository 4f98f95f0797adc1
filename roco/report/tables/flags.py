"""Signs that attacks fail although a network is not robust."""

from collections.abc import Sequence

from roco.config import StudyConfig
from roco.report.measures.measured import several
from roco.report.read.collect import Study, records_of
from roco.report.tables.table import Content

FLAGS = ["search", "seed", "slot", "training_seed", "key", "flag", "raised", "detail"]
# The meaning of a raised flag.
MEANINGS = {
    "more_steps": "more steps help the defender",
    "large_radius": "images hold where none should",
    "gradient_free": "an attack without gradients beats those with them",
    "transfer": "images made for other networks beat white-box attacks",
    "noise": "noise does as much as an attack",
    "restarts": "restarts change much",
    "autoattack": "AutoAttack finds much more than PGD",
    "without_budget": "an attack fails although it has no budget",
    "batches": "results depend on the batch",
    "zero_gradients": "there are no gradients to follow",
    "not_finite": "numbers that are not finite, or broken budgets",
    # For networks of `roco evaluate` (roco.external.checks).
    "random": "the network answers at random",
    "depends_on_batch": "an answer depends on the batch",
    "probabilities": "the network returns probabilities",
    "guesses": "the network is no better than guessing",
    "no_gradients": "black-box attacks only",
}


def make(study: Study, config: StudyConfig) -> Content:
    """Raised flags first, each with its network and numbers; then how many networks each flag was not raised on."""
    order = {name: rank for rank, name in enumerate(MEANINGS)}
    numbers = study.flags[FLAGS].assign(order=[order.get(name, len(order)) for name in study.flags["flag"]])
    numbers = numbers.sort_values(["raised", "order"], ascending=[False, True], kind="stable")[FLAGS]
    raised = numbers[numbers["raised"]]
    unit = "retraining" if several(config) else "network"
    again = ["Training seed"] if several(config) else []
    cells: list[Sequence[str]] = [("Flag", "State", "Search", "Seed", "Network", *again, "Numbers")]
    for row in records_of(raised):
        network = (str(row["search"]), str(row["seed"]), str(row["key"]))
        trained = [str(row["training_seed"])] if again else []
        cells.append((meaning_of(row["flag"]), "RAISED", *network, *trained, str(row["detail"])))
    for name in dict.fromkeys(numbers["flag"]):
        quiet = int(((numbers["flag"] == name) & ~numbers["raised"]).sum())
        if quiet:
            count = f"{quiet} {unit}{'s' if quiet > 1 else ''}"
            cells.append((meaning_of(name), "not raised", "", "", count, *[""] * len(again), ""))
    networks = len(raised[["search", "seed", "slot"]].drop_duplicates())
    on_networks = f"{networks} network{'' if networks == 1 else 's'}"
    notes = (
        f"{len(raised)} of {len(numbers)} flags are raised, on {on_networks}. A raised "
        "flag says that attacks may fail although the network is not robust: do not trust the accuracies under them.",
        "After Carlini et al., On Evaluating Adversarial Robustness, 2019. What each flag compares, and how much it "
        "allows for chance, is in docs/explanation/robustness.md.",
    )
    return Content(numbers, tuple(map(tuple, cells)), notes)


def meaning_of(flag: object) -> str:
    """A flag's name and its meaning."""
    name = str(flag)
    return f"{name.replace('_', ' ')}: {MEANINGS[name]}" if name in MEANINGS else name
