"""Where this study departs from the paper's procedure, and why."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """Where this study departs from the paper's procedure, and why."""

    paper: str
    here: str
    reason: str


DEVIATIONS = (
    Deviation(
        "One adversarial set, from test images, is both the search's objective and the final table.",
        "Two sets: from validation images for the search, from test images for the report.",
        "A set that was searched on cannot judge the search.",
    ),
    Deviation(
        "The networks that make the adversarial set of the search make that of the final table.",
        "The test set is made from networks trained anew, and from an architecture that no search has seen.",
        "A search may fit the networks that its objective was made from.",
    ),
    Deviation(
        "Images that the target already misclassified count as adversarial.",
        "Only images that the target classifies correctly are attacked; only verified successes are stored.",
        "An error without an attack says nothing about robustness to attacks.",
    ),
    Deviation(
        "The authors' code has two objectives, FLOPs and 200 minus the validation and the adversarial accuracy in "
        "percent; its third one is commented out.",
        "Three objectives, as the paper says.",
        "A sum decides beforehand what a point of robustness is worth in accuracy; a front leaves that open.",
    ),
    Deviation(
        "White-box attacks run on normalised inputs, and clip those to [0, 1].",
        "Networks take pixels in [0, 1] and normalise inside; every attack is judged by our own re-classification.",
        "Clipping normalised inputs changes the image before it is attacked.",
    ),
    Deviation(
        "Retraining keeps the checkpoint that is best on the test set.",
        "The last epoch is kept; nothing is chosen on test data.",
        "The best of many checkpoints overstates the accuracy.",
    ),
    Deviation(
        "FLOPs come from the network in the search (residual nodes, 16 channels at first), parameters and accuracies "
        "from another one (in the authors' code dense nodes, 128 channels in each phase).",
        "Both networks are reported, and a row never mixes them (retraining.node and retraining.channels give theirs).",
        "Accuracy and cost should belong to one network.",
    ),
    Deviation(
        "Two-point crossover cuts inside phases; polynomial mutation leaves most children unchanged.",
        "Whole phases are inherited, the bits of one phase mutate, and no network is evaluated twice "
        "(search.variation: nsga_net gives the authors' operators).",
        "This is what the paper's Algorithm 1 describes.",
    ),
    Deviation(
        "Training data is not shuffled, and every network has the same seed.",
        "Data is shuffled. Initial weights have a seed for each network; the order of the images is shared.",
        "A fixed order is one more hidden choice; one that all share does not tell between networks.",
    ),
    Deviation(
        "Duplicates are compared as bit strings.",
        "Duplicates are compared as networks: many bit strings decode to the same one.",
        "Otherwise the search pays several times for one network.",
    ),
    Deviation(
        "One run, no error bars.",
        "Every accuracy has a 95 % interval; with several seeds it covers the search as well.",
        "A difference of a few points in one run is not yet a finding.",
    ),
)
