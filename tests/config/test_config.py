"""The configuration: the paper's values by default, and one line for whatever is wrong with it."""

from typing import Any

import pytest

from roco.config import check_config
from roco.errors import ConfigError
from roco.search.settings import SearchKind
from roco.settings import Recipe
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES


def minimal(**sections: Any) -> dict[str, Any]:
    return {"experiment": "try", "dataset": {"name": "digits"}} | sections


def with_value(dotted: str, value: object) -> dict[str, Any]:
    """The smallest configuration with one more key set."""
    raw = minimal()
    section, keys = raw, dotted.split(".")
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    section[keys[-1]] = value
    return raw


def test_defaults_are_the_papers() -> None:
    config = check_config(minimal())
    # Table II.
    assert (config.space.phases, config.space.nodes) == (3, 6)
    assert (config.search.generations, config.search.population, config.search.offspring) == (20, 40, 40)
    # Section IV: the search's recipe, and the final one.
    assert config.evaluation.training == Recipe(
        epochs=25,
        batch_size=128,
        learning_rate=0.025,
        momentum=0.9,
        weight_decay=3e-4,
        gradient_clip=5.0,
        crop_padding=4,
        flip=True,
        cutout=0,
    )
    assert (config.retraining.training.epochs, config.retraining.training.cutout) == (120, 16)
    assert (config.evaluation.channels, config.retraining.channels) == (16, 32)
    # Table I, and Figures 5 and 6.
    assert config.adversarial.thresholds == [1, 3, 5, 10]
    assert list(config.targets.architectures()) == ["densenet", "lenet", "resnet", "vgg16"]
    eps = {name: attack.eps for name, attack in config.robustness.attacks.items() if hasattr(attack, "eps")}
    assert eps == {"fgsm_0.1": 25.5, "fgsm_0.2": 51.0, "fgsm_0.3": 76.5, "bim": 1.0, "pgd": 1.0}
    assert config.report.top == [1, 3, 5]
    assert config.search.searches == {
        "baseline": SearchKind(objectives=["error", "flops"], method="nsga2"),
        "roco": SearchKind(objectives=["error", "flops", "adversarial_error"], method="nsga2"),
    }


def test_a_list_of_objectives_is_a_search_by_nsga2() -> None:
    short, long = (
        check_config(minimal(search={"searches": {"a": kind}})).search.searches
        for kind in (["error", "flops"], {"objectives": ["error", "flops"], "method": "nsga2"})
    )
    assert short == long


def test_channels_are_a_number_or_a_width_for_each_phase() -> None:
    config = check_config(minimal(evaluation={"channels": [8, 8, 12]}))
    assert (config.evaluation.channels, config.retraining.channels) == ([8, 8, 12], 32)


def test_retrained_networks_may_have_other_nodes_than_those_of_the_search() -> None:
    same = check_config(minimal(space={"node": "preactivation"}))
    assert (same.node_of("evaluation"), same.node_of("retraining")) == ("preactivation", "preactivation")
    config = check_config(minimal(retraining={"node": "dense", "channels": [128, 128, 128]}))
    assert (config.node_of("evaluation"), config.node_of("retraining")) == ("residual", "dense")
    assert config.width_in_words("retraining") == "128, 128, 128 channels, dense nodes"
    # Where one kind is named, so is the other.
    assert config.width_in_words("evaluation") == "16 initial channels, residual nodes"
    assert check_config(minimal()).width_in_words("evaluation") == "16 initial channels"


def test_all_searches_are_retrained_or_those_named() -> None:
    assert check_config(minimal()).retrained_searches == ["baseline", "roco"]
    assert check_config(minimal(retraining={"searches": ["roco"]})).retrained_searches == ["roco"]


def test_published_genomes_are_genomes_of_the_papers_space() -> None:
    keys = {Genome.parse(text, phases=3, nodes=6).key for text in PUBLISHED_GENOMES.values()}
    assert len(keys) == len(PUBLISHED_GENOMES) == 2
    references = check_config(minimal(retraining={"references": list(PUBLISHED_GENOMES)})).retraining.references
    assert references == ["paper_roco", "paper_baseline"]


def test_slots_and_folder() -> None:
    config = check_config(minimal(search={"population": 6}))
    assert (config.slots, config.folder) == (6, "results/try")
    assert check_config(minimal(retraining={"networks": 5})).slots == 5
    assert check_config(minimal(retraining={"networks": 50}, search={"population": 6})).slots == 6


def test_null_leaves_a_target_out() -> None:
    assert list(check_config(minimal(targets={"lenet": None})).targets.architectures()) == [
        "densenet",
        "resnet",
        "vgg16",
    ]


WRONG = [
    ("populaton", 3, "populaton: unknown key; expected one of experiment, results, device, seeds, dataset"),
    ("search.populations", 3, "search.populations: unknown key; expected one of searches, population, offspring"),
    ("search.population", 1, "search.population: expected at least 2, got 1"),
    ("search.population", "40", "search.population: expected a whole number, got '40'"),
    ("search.population", True, "search.population: expected a whole number, got true"),
    ("search.crossover_probability", 1.5, "search.crossover_probability: expected at most 1, got 1.5"),
    ("search.variation", "magic", "search.variation: expected 'phase_wise' or 'nsga_net', got 'magic'"),
    ("search.searches", {}, "search.searches: expected at least 1 entry, got keys and values"),
    ("search.searches", {"My Search": ["error"]}, "search.searches.My Search: expected text that matches ^[a-z]"),
    ("search.searches", {"initial": ["error"]}, "search.searches: expected another name than 'initial'"),
    (
        "search.searches",
        {"fast": ["erro"]},
        "search.searches.fast.objectives.0: expected error, adversarial_error",
    ),
    ("search.searches", {"fast": []}, "search.searches.fast.objectives: expected different objectives, at least one"),
    ("search.searches", {"fast": 3}, "search.searches.fast: expected a list of objectives, or keys and values, got 3"),
    (
        "search.searches",
        {"fast": {"objectives": ["error"], "method": "best"}},
        "search.searches.fast.method: expected 'nsga2', 'nsga3', 'sms_emoa' or 'random', got 'best'",
    ),
    ("retraining.searches", ["roc"], "retraining.searches: expected some of baseline, roco, got 'roc'"),
    (
        "evaluation.channels",
        [16, 32],
        "evaluation.channels: expected a width for each of 3 phases (space.phases), got [16, 32]",
    ),
    ("retraining.channels", [16, 0, 8], "retraining.channels.1: expected at least 1, got 0"),
    ("retraining.seeds", [1, 1], "retraining.seeds: expected different seeds, got [1, 1]"),
    (
        "retraining.seed",
        3,
        "retraining.seed: is a list of seeds now, a training for each; write 'seeds: [3]' instead",
    ),
    ("search.population_0", ["01-10"], "search.population_0: expected paper_roco, paper_baseline or a genome; "),
    ("search", None, "search: expected keys and values, got nothing"),
    ("search", {1: 2}, "search.1: expected text as a key, got 1"),
    ("experiment", "../up", "experiment: expected text that matches"),
    ("seeds", [2**31], "seeds.0: expected less than 2147483648, got 2147483648"),
    ("dataset.name", "imagenet", "dataset.name: expected 'digits', 'cifar10', 'cifar100', 'svhn', 'fashion_mnist'"),
    ("dataset", {"name": "npz"}, "dataset.path: expected the npz to read, got nothing"),
    ("dataset", {"name": "npz", "path": "no/such.npz"}, "dataset.path: expected an existing npz, got 'no/such.npz'"),
    ("dataset", {"name": "digits", "validation_fraction": 1.0}, "dataset.validation_fraction: expected less than 1"),
    ("space.phases", 5, "dataset.image_size: expected at least 64 for 5 phases, got 32"),
    ("adversarial.thresholds", [3, 1], "adversarial.thresholds: expected different values in rising order, got [3, 1]"),
    (
        "adversarial.l0_attack",
        {"method": "magic"},
        "adversarial.l0_attack: unknown method 'magic', expected one of 'differential_evolution', 'random_search', "
        "'greedy', 'sparse_gradient', 'sigma_zero', 'masked_gradient'",
    ),
    (
        "adversarial.l0_attack",
        {"queries": 3},
        "adversarial.l0_attack.method: expected one of differential_evolution, random_search, greedy, "
        "sparse_gradient, sigma_zero, masked_gradient, got nothing",
    ),
    (
        "adversarial.linf_attack",
        {"method": "pgd", "queries": 3},
        "adversarial.linf_attack.queries: unknown key; expected one of method, steps, restarts",
    ),
    ("robustness.attacks", {"a": {"method": "fgsm"}}, "robustness.attacks.a.eps: expected a value, got nothing"),
    ("robustness.curve", {"radii": [2.0, 1.0]}, "robustness.curve.radii: expected different values in rising order"),
    ("robustness.checks", {"large_eps": 8.0}, "robustness.checks.large_eps: expected more than eps (8), got 8"),
    (
        "robustness.smallest_perturbations",
        {"a": {"method": "pgd"}},
        "robustness.smallest_perturbations.a: unknown method",
    ),
    ("targets.resnet", {"depth": 33}, "targets.resnet.depth: expected 6 n + 2 (8, 14, 20, 26, 32, ...), got 33"),
    ("targets.densenet", {"depth": 99}, "targets.densenet.depth: expected 6 n + 4 (10, 16, 22, ..., 100), got 99"),
    ("targets.lenet", {"width": 0}, "targets.lenet.width: expected more than 0, got 0"),
    (
        "targets",
        dict.fromkeys(("lenet", "vgg16", "resnet", "densenet")),
        "targets: expected at least one target that is not null, got none",
    ),
    ("retraining.networks", "some", "retraining.networks: expected a whole number or 'all', got 'some'"),
    ("retraining.references", ["paper"], "retraining.references: expected paper_roco, paper_baseline or a genome"),
    ("evaluation.training.flip", 1, "evaluation.training.flip: expected true or false, got 1"),
    (
        "evaluation.training.learning_rate",
        "1e-3",
        "evaluation.training.learning_rate: expected a number, got '1e-3'; in YAML a number with an exponent needs",
    ),
    (
        "evaluation.training.weight_decay",
        float("inf"),
        "evaluation.training.weight_decay: expected a finite number, got inf",
    ),
    ("evaluation.training.momentum", float("nan"), "evaluation.training.momentum: expected less than 1, got nan"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG, ids=[f"{key}={value}"[:60] for key, value, _ in WRONG])
def test_a_wrong_value_is_named_in_one_line(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(with_value(key, value), source="study.yaml")
    line = str(caught.value)
    assert line.startswith(f"study.yaml: {message}")
    assert "\n" not in line
    assert "pydantic" not in line


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^configuration: experiment: expected a value, got nothing \(and 1 more\)$"):
        check_config({})
    with pytest.raises(ConfigError, match=r"^configuration: dataset\.name: expected a value, got nothing$"):
        check_config({"experiment": "a", "dataset": {}})


def test_other_problems_are_counted_by_key() -> None:
    raw = minimal(targets={"resnet": {"depth": 9}, "densenet": {"depth": 9}}, retraining={"networks": 0}, extra=1)
    with pytest.raises(ConfigError, match=r"resnet\.depth: expected 6 n \+ 2 .*, got 9 \(and 3 more\)$"):
        check_config(raw)


def test_long_values_and_keys_with_line_breaks_stay_on_one_short_line() -> None:
    for raw in (minimal(device="x\ny" * 1000), minimal(**{"a\nb": 1})):
        with pytest.raises(ConfigError) as caught:
            check_config(raw)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 250


def test_more_genomes_than_the_population_holds() -> None:
    raw = minimal(search={"population": 2, "population_0": ["paper_roco"] * 3})
    with pytest.raises(ConfigError, match=r"search\.population_0: expected at most 2 genomes .*, got 3"):
        check_config(raw)
