"""The titles of targets and norms, and which targets made the test set."""

from roco.config import StudyConfig
from roco.networks.targets import ARCHITECTURES

TARGET_TITLES = {name: architecture.title for name, architecture in ARCHITECTURES.items()}
NORM_TITLES = {"l0": "L0", "linf": "L∞"}


def makers_of_test_set(config: StudyConfig) -> str:
    """Which networks the test set was made from, and whether the search has seen them, in a sentence."""
    seen = config.targets.architectures("validation")
    unseen = [TARGET_TITLES[name] for name in config.targets.architectures("test") if name not in seen]
    if config.targets.test is None:
        return (
            "The test set was made from the networks that made the validation set: it favours a search that has "
            "minimised the error on their images."
        )
    more = f", and {' and '.join(unseen)}, an architecture that no search has seen" if unseen else ""
    return (
        "The test set was made from other networks than the validation set: the same architectures, trained anew from "
        f"another seed{more}."
    )
