"""Table III: accuracy on the adversarial test set."""

from roco.config import StudyConfig
from roco.report.measures.measured import ADVERSARIAL_SET
from roco.report.measures.paper import ADVERSARIAL_SET_ACCURACY
from roco.report.measures.targets import makers_of_test_set
from roco.report.read.collect import Study
from roco.report.tables.lightest_accuracy import accuracy_of_lightest
from roco.report.tables.table import Content


def make(study: Study, config: StudyConfig) -> Content:
    """Table III: accuracy on the adversarial test set of the N lightest networks of each search."""
    notes = (
        makers_of_test_set(config),
        "Not comparable with the paper: its adversarial images come from the test images that its search had used, and "
        "include images that were misclassified before any attack.",
        "Adversarial images made from the same test image are not independent: the interval counts them as one draw.",
    )
    return accuracy_of_lightest(study, config, ADVERSARIAL_SET, paper=ADVERSARIAL_SET_ACCURACY, notes=notes)
