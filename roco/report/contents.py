"""The content of the report in its order: the single list that the rules, the files, the page and the docs read.

A table is an item here and a file in tables/ with a function `make`; a figure is an item here and a file in figures/
with `CAPTION`, `numbers` and `draw`. The file has the name of the item. This module imports nothing heavy, because the
Snakefile reads it at each start.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roco.config import StudyConfig


@dataclass(frozen=True)
class Item:
    """A table or a figure.

    Attributes:
        name: of its module and of its files.
        title: one line.
        about: what it shows, in a sentence.
    """

    name: str
    title: str
    about: str


@dataclass(frozen=True)
class Part:
    """A part of the page: its anchor, its title, its tables and then its figures."""

    name: str
    title: str
    tables: tuple[Item, ...] = ()
    figures: tuple[Item, ...] = ()


# At the top of the page, beside the answer; the interactive chart shows its numbers too.
PICTURE = Item(
    "populations", "Final populations", "Both errors against FLOPs; filled points: the fronts of the searches."
)
PARTS = (
    Part(
        "found",
        "What was found",
        tables=(
            Item(
                "differences",
                "Differences between the searches",
                "What each search gains over the reference search, with 95 % intervals; † marks the main comparison.",
            ),
            Item(
                "equal_accuracy",
                "Differences at equal FLOPs and equal clean accuracy",
                "Whether a search found more robust networks, or only more accurate or larger ones.",
            ),
            Item(
                "table_3",
                "Table III. Accuracy on the adversarial test set, %",
                "Accuracy of the N lightest retrained networks of each search, with 95 % intervals.",
            ),
            Item(
                "set_accuracy",
                "Accuracy on the adversarial test set, given that the clean image is right, %",
                "What the adversarial change costs beyond clean errors, and beyond random noise of the same size.",
            ),
            Item(
                "table_4",
                "Table IV. Accuracy on the test images, %",
                "Accuracy of the N lightest retrained networks of each search, with 95 % intervals.",
            ),
            Item(
                "table_5",
                "Table V. Networks of nearly equal FLOPs; accuracies in %",
                "For each seed the two networks, one of each search, whose FLOPs are closest.",
            ),
        ),
        figures=(
            Item("figure_5", "Figure 5. Accuracy under PGD and FLOPs", "A point for each retrained network."),
            Item(
                "figure_6",
                "Figure 6. Accuracy under the other white-box attacks and FLOPs",
                "A panel for each attack, a point for each retrained network.",
            ),
            Item("figure_2", "Figure 2. Test accuracy and parameters", "A point for each retrained network."),
            Item(
                "figure_3", "Figure 3. FLOPs of the lightest networks", "A point for each network, a bar for the mean."
            ),
            Item(
                "figure_4",
                "Figure 4. Parameters of the lightest networks",
                "A point for each network, a bar for the mean.",
            ),
        ),
    ),
    Part(
        "robust",
        "How far the robustness goes",
        tables=(
            Item(
                "robustness_curve",
                "Accuracy against radius",
                "Images that no attack fools within an L∞ radius, the worst case over all attacks.",
            ),
            Item(
                "smallest_perturbations",
                "Median smallest perturbations",
                "The smallest change that any attack found, for each search and each network.",
            ),
            Item(
                "outside",
                "Networks of others",
                "Published networks and benchmarks beside this study: how clean and robust accuracy go together.",
            ),
            Item(
                "flags",
                "Sanity flags of the white-box attacks",
                "Signs that attacks fail for reasons of their own, raised ones first.",
            ),
        ),
        figures=(
            Item(
                "accuracy_radius",
                "Accuracy against radius",
                "Images that no attack fools within an L∞ radius; bands are 95 % intervals.",
            ),
            Item(
                "outside_scatter",
                "Networks of others",
                "Accuracy under attack and clean accuracy, a point for each network.",
            ),
        ),
    ),
    Part(
        "why",
        "What goes with robustness",
        tables=(
            Item(
                "objective",
                "Does the search's objective predict robustness?",
                "Rank correlations of what the search minimised with the accuracy of the retrained networks.",
            ),
            Item(
                "objective_spread",
                "How far the search's objective spreads",
                "The adversarial objective over all evaluated networks, beside the noise of its measurement.",
            ),
            Item(
                "topology",
                "What the networks of the fronts look like",
                "Features of the networks' graphs, and their rank correlation with the accuracy under PGD.",
            ),
            Item(
                "explained",
                "What topology explains",
                "A regression of the adversarial error on features of the graphs, at equal FLOPs and clean error.",
            ),
        ),
    ),
    Part(
        "course",
        "How the searches went",
        tables=(
            Item("searches", "The searches", "How many networks each search evaluated, and its hypervolume."),
            Item(
                "control",
                "Searches against random search",
                "Hypervolumes at equal numbers of evaluated networks, with 95 % intervals over seeds.",
            ),
            Item(
                "hypervolume_test",
                "Hypervolume on test data",
                "The hypervolume of each front as it was selected, and of the same networks on test data.",
            ),
            Item("survivors", "Which networks survive", "The networks that lived through most generations."),
            Item("fronts", "Fronts of the searches", "The networks that no other of the last population dominates."),
        ),
        figures=(Item("hypervolume", "Hypervolume and evaluated networks", "The course of each search on one scale."),),
    ),
    Part(
        "more",
        "Sets, settings and all networks",
        tables=(
            Item(
                "table_1",
                "Table I. Adversarial samples by target, norm and threshold",
                "Of the images that a target had right, how many each attack turned.",
            ),
            Item(
                "transfer",
                "Transfer between the targets",
                "Of the images that fool one target, the share that fools another one too.",
            ),
            Item("table_2", "Table II. Settings of the search", "The settings of this study and of the paper."),
            Item(
                "white_box",
                "All retrained networks under white-box attacks",
                "What each network costs, and its accuracy under each attack.",
            ),
            Item(
                "retrainings",
                "How far retrainings of a network differ",
                "The mean, smallest and largest accuracy over several trainings of each network.",
            ),
        ),
        figures=(
            Item(
                "examples",
                "Examples of the adversarial images",
                "An image of each cell of the test set: clean, adversarial, and their difference.",
            ),
            Item(
                "transfer_matrix",
                "Transfer between the targets",
                "Of the images that fool one target, the share that fools another one too.",
            ),
        ),
    ),
)
# For studies with adversarial training (retraining.adversarial).
BOTH_WAYS = Part(
    "both_ways",
    "With adversarial training",
    tables=(
        Item(
            "ways_by_search",
            "Standard and adversarial training, by search",
            "Medians over the networks of each search, each trained both ways from the same seeds.",
        ),
        Item(
            "ways_differences",
            "Differences between the searches after each training",
            "What each search gains over the reference search at equal FLOPs, within each training.",
        ),
        Item(
            "ways_correlation",
            "Does the order of networks survive adversarial training?",
            "Rank correlations of the accuracies after both trainings.",
        ),
        Item(
            "ways_by_network",
            "Standard and adversarial training, by network",
            "The accuracies of each network after both trainings.",
        ),
    ),
    figures=(
        Item("both_ways", "Accuracy after both trainings", "A point for each network, a panel for each measure."),
    ),
)
TABLES = tuple(item for part in PARTS for item in part.tables)
FIGURES = (PICTURE, *(item for part in PARTS for item in part.figures))


def parts_of(config: "StudyConfig") -> tuple[Part, ...]:
    """The parts of a study's page."""
    return PARTS if config.retraining.adversarial is None else (*PARTS[:2], BOTH_WAYS, *PARTS[2:])


def tables_of(config: "StudyConfig") -> tuple[Item, ...]:
    """The tables of a study."""
    return tuple(item for part in parts_of(config) for item in part.tables)


def figures_of(config: "StudyConfig") -> tuple[Item, ...]:
    """The figures of a study."""
    return (PICTURE, *(item for part in parts_of(config) for item in part.figures))
