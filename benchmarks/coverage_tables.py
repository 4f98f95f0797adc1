"""Whole tables of differences on made-up studies in which no search is better: how many stars they give."""

import zlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from coverage_studies import Made, study

from roco.config import StudyConfig, check_config
from roco.report.measures.differences import differences
from roco.report.read.collect import Study, StudyFiles, collect

SEARCHES = ("baseline", "roco")
ATTACKS = ("bim", "pgd", "cw")
RADII = (0.5, 1.0, 2.0)
# The accuracy of each metric, in points from a half.
LEVELS = {"test": 40.0, "adversarial": 10.0, **dict.fromkeys(ATTACKS, -15.0), 0.5: 20.0, 1.0: 0.0, 2.0: -20.0}


@dataclass(frozen=True)
class Starred:
    """How many studies had a star in the main comparison, and in any other; and what others had without correction.

    Attributes:
        trials: studies.
        main: of them with a star in the main comparison.
        others: with a star in any other one.
        uncorrected: other comparisons with p below 0.05, over all studies.
        comparisons: others in all, over all studies.
    """

    trials: int
    main: int
    others: int
    uncorrected: int
    comparisons: int

    @property
    def worst(self) -> float:
        """The larger share of studies with a star."""
        return max(self.main, self.others) / self.trials


def stars(seeds: int, trials: int) -> Starred:
    """The stars of so many studies, each of five networks for each of two searches and each seed."""
    generator = np.random.default_rng([zlib.crc32(b"tables"), seeds])
    config = _config(seeds)
    empty = collect(StudyFiles())
    main = others = uncorrected = comparisons = 0
    for _ in range(trials):
        numbers = differences(_study(empty, config, generator), config)
        beside = numbers[~numbers["main"]]
        main += bool(numbers.loc[numbers["main"], "resolved"].any())
        others += bool(beside["resolved"].any())
        uncorrected += int((beside["p"] < 0.05).sum())
        comparisons += len(beside)
    return Starred(trials, main, others, uncorrected, comparisons)


def _config(seeds: int) -> StudyConfig:
    attacks: dict[str, dict[str, object]] = {name: {"method": name} for name in ATTACKS}
    for name in ("bim", "pgd"):
        attacks[name] |= {"eps": 1.0, "alpha": 0.25, "steps": 10}
    return check_config(
        {
            "experiment": "made_up",
            "dataset": {"name": "digits"},
            "seeds": list(range(seeds)),
            "search": {"searches": {"baseline": ["error", "flops"], "roco": ["error", "adversarial_error"]}},
            "robustness": {
                "images": 100,
                "attacks": attacks,
                "curve": {"radii": list(RADII), "steps": 1, "targets": 0},
            },
        }
    )


def _study(empty: Study, config: StudyConfig, generator: np.random.Generator) -> Study:
    """Each metric is a study of its own on the same networks: the more of them, the more stars by chance."""
    made = Made(images=100)
    measured = {name: study(replace(made, level=level), len(config.seeds), generator) for name, level in LEVELS.items()}
    networks, attacks, curves = [], [], []
    for side, search in enumerate(SEARCHES):
        for seed in config.seeds:
            flops = np.sort(generator.integers(5_000_000, 40_000_000, made.networks))
            for slot in range(made.networks):
                right = {name: one.networks[side][seed][slot][0] for name, one in measured.items()}
                place = {"search": search, "seed": seed, "slot": slot, "training_seed": 0}
                place |= {"key": f"{generator.integers(16**12):012x}"}
                whole = {
                    f"{name}_{part}": value for name in ("test", "adversarial") for part, value in _of(right[name])
                }
                sizes = {"adversarial_sizes": np.ones(made.images)}
                networks.append({**place, "status": "ok", "flops": int(flops[slot]), **whole, **sizes})
                attacks += [{**place, "attack": name, **dict(_of(right[name]))} for name in ATTACKS]
                curves += [{**place, "radius": radius, **dict(_of(right[radius]))} for radius in RADII]
    frames = {"networks": networks, "attacks": attacks, "curves": curves}
    return replace(empty, **{name: _like(getattr(empty, name), rows) for name, rows in frames.items()})


def _of(right: np.ndarray) -> list[tuple[str, object]]:
    images, correct = len(right), int(right.sum())
    return [("images", images), ("correct", correct), ("accuracy", correct / images), ("right", right)]


def _like(frame: pd.DataFrame, rows: list[dict[str, object]]) -> pd.DataFrame:
    made = pd.DataFrame([{name: row.get(name) for name in frame.columns} for row in rows], columns=frame.columns)
    return made.astype(frame.dtypes)
