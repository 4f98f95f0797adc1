"""What the report holds, in its order: the one list that the rules, the files, the page and the docs read.

A table is a line here and a file in tables/ with a function `make`; a figure is a line here and a file in figures/ with
`CAPTION`, `numbers` and `draw`. Both files are called like the item. This module imports nothing heavy, because
the Snakefile reads it at each start.
"""

from dataclasses import dataclass


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


# Beside the answer, at the top of the page; the interactive chart shows its numbers.
PICTURE = Item(
    "populations",
    "Final populations",
    "Validation error and adversarial error of each search's last population against FLOPs; filled points: its front.",
)

PARTS = (
    Part(
        "found",
        "What was found",
        tables=(
            Item(
                "differences",
                "Differences between the searches",
                "Differences of each search from the reference search at equal FLOPs and for the N lightest "
                "networks, with 95 % intervals over seeds. The main comparison, which was named beforehand, is "
                "marked; all others are corrected for their number by Holm's procedure. Resolved: below 5 %, with "
                "at least five seeds.",
            ),
            Item(
                "equal_accuracy",
                "Differences at equal FLOPs and equal clean accuracy",
                "Differences of each search from the reference search: as found, at equal FLOPs, and at equal FLOPs "
                "and equal clean accuracy; with 95 % intervals over seeds.",
            ),
            Item(
                "table_3",
                "Table III. Accuracy on the adversarial test set, %",
                "Accuracy on the adversarial test set of the N lightest retrained networks of each search, with its "
                "95 % interval. The values of the paper come from a set that its search had used, so they cannot be "
                "compared.",
            ),
            Item(
                "set_accuracy",
                "Accuracy on the adversarial test set, given that the clean image is right, %",
                "Accuracy on the adversarial test set given that the clean image is right, the same under random "
                "noise of the same budgets, and what the adversarial change loses beyond that; with 95 % intervals "
                "over seeds and test images.",
            ),
            Item(
                "table_4",
                "Table IV. Accuracy on the test images, %",
                "Accuracy on the test images of the N lightest retrained networks of each search, with its 95 % "
                "interval.",
            ),
            Item(
                "table_5",
                "Table V. Networks of nearly equal FLOPs; accuracies in %",
                "For each seed the two networks, one of each search, whose FLOPs are closest, and the networks that "
                "the paper published.",
            ),
        ),
        figures=(
            Item(
                "figure_5",
                "Figure 5. Accuracy under PGD and FLOPs",
                "Accuracy under PGD and FLOPs of each retrained network, with the trend of each search and its 95 % "
                "interval.",
            ),
            Item(
                "figure_6",
                "Figure 6. Accuracy under the other white-box attacks and FLOPs",
                "Accuracy under the other white-box attacks and FLOPs of each retrained network, with the trend of "
                "each search and its 95 % interval.",
            ),
            Item(
                "figure_2",
                "Figure 2. Test accuracy and parameters",
                "Test accuracy and parameters of each retrained network; for CIFAR-10 also of networks that others "
                "published.",
            ),
            Item(
                "figure_3",
                "Figure 3. FLOPs of the lightest networks",
                "FLOPs of the N lightest retrained networks of each search.",
            ),
            Item(
                "figure_4",
                "Figure 4. Parameters of the lightest networks",
                "Parameters of the N lightest retrained networks of each search.",
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
                "Accuracy of each search's networks at L-infinity radii, worst case over all attacks for each "
                "image, with 95 % intervals.",
            ),
            Item(
                "smallest_perturbations",
                "Median smallest perturbations",
                "Median smallest perturbation that any attack found, in L2 and L-infinity, for each search and each "
                "network.",
            ),
            Item(
                "flags",
                "Sanity flags of the white-box attacks",
                "Signs that attacks fail for reasons of their own, after Carlini et al. 2019; raised ones first.",
            ),
        ),
        figures=(
            Item(
                "accuracy_radius",
                "Accuracy against radius",
                "Accuracy of each search's networks against the L-infinity radius, worst case over all attacks for "
                "each image; bands are 95 % intervals.",
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
                "Spearman's rank correlation of what the search minimised with the accuracy of the retrained "
                "networks, with 95 % intervals.",
            ),
            Item(
                "objective_spread",
                "How far the search's objective spreads",
                "How far the search's adversarial objective spreads over the networks that were evaluated, beside "
                "its binomial noise, and its rank correlation with validation error.",
            ),
            Item(
                "topology",
                "What the networks of the fronts look like",
                "Depth, width, nodes, edges, ends and residual bits of the networks of each final front, and their "
                "rank correlation with the accuracy under PGD.",
            ),
            Item(
                "explained",
                "What topology explains",
                "Least-squares regression of the adversarial error of all evaluated networks on depth, width, ends "
                "and residual bits, at equal FLOPs and equal clean error; with 95 % intervals over seeds.",
            ),
        ),
    ),
    Part(
        "course",
        "How the searches went",
        tables=(
            Item(
                "searches",
                "The searches",
                "Networks that each search evaluated, failures, size of the front, and hypervolume at its start and "
                "end.",
            ),
            Item(
                "control",
                "Searches against random search",
                "Hypervolume of each search against that of random search at equal numbers of evaluated networks, "
                "with 95 % intervals over seeds. Resolved: below 5 % after Holm's correction, with at least five "
                "seeds.",
            ),
            Item(
                "hypervolume_test",
                "Hypervolume on test data",
                "Hypervolume of the retrained networks of each front as the search selected them and on test data, "
                "with differences from the reference search and from random search and their 95 % intervals over "
                "seeds.",
            ),
            Item(
                "survivors",
                "Which networks survive",
                "The networks that were among the survivors of most generations, and in how many fronts they are.",
            ),
            Item(
                "fronts",
                "Fronts of the searches",
                "The non-dominated networks of the last population of each search and seed, with what the search "
                "measured of them.",
            ),
        ),
        figures=(
            Item(
                "hypervolume",
                "Hypervolume and evaluated networks",
                "Hypervolume of the population of each generation by the networks evaluated so far, on one scale "
                "for all searches.",
            ),
        ),
    ),
    Part(
        "more",
        "Sets, settings and all networks",
        tables=(
            Item(
                "table_1",
                "Table I. Adversarial samples by target, norm and threshold",
                "Adversarial samples by split, target network, norm and threshold: images attacked (all of them "
                "classified correctly by the target before), verified successes, success rate with its 95 % "
                "interval, and the counts of the paper.",
            ),
            Item(
                "transfer",
                "Transfer between the targets",
                "Transfer of the test adversarial set between its targets: of the images that fool one and that "
                "another had right before, the share that fools the other one too, beside random noise of the same "
                "budget.",
            ),
            Item(
                "table_2",
                "Table II. Settings of the search",
                "The settings of the search in this study and in the paper.",
            ),
            Item(
                "white_box",
                "All retrained networks under white-box attacks",
                "Every retrained network: cost, and accuracy on test images, on the adversarial test set and under "
                "each white-box attack.",
            ),
            Item(
                "retrainings",
                "How far retrainings of a network differ",
                "How far several trainings of one network are from one another: the mean, smallest and largest "
                "accuracy of each.",
            ),
        ),
        figures=(
            Item(
                "examples",
                "Examples of the adversarial images",
                "An image of each cell of the test adversarial set: clean, adversarial, and their difference, with "
                "the true class and what the target says now. Shown is the first success by its number in the test "
                "images.",
            ),
            Item(
                "transfer_matrix",
                "Transfer between the targets",
                "Transfer of the test adversarial set between its targets: of the images that fool one and that "
                "another had right before, the share that fools the other one too, beside random noise of the same "
                "budget.",
            ),
        ),
    ),
)

TABLES = tuple(item for part in PARTS for item in part.tables)
FIGURES = (PICTURE, *(item for part in PARTS for item in part.figures))
