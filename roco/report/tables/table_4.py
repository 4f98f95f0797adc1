"""Table IV: accuracy on the test images."""

from roco.config import StudyConfig
from roco.report.measures.measured import TEST
from roco.report.measures.paper import TEST_ACCURACY
from roco.report.read.collect import Study
from roco.report.tables.lightest_accuracy import accuracy_of_lightest
from roco.report.tables.table import Content


def make(study: Study, config: StudyConfig) -> Content:
    """Table IV: accuracy on the test images of the N lightest networks of each search."""
    notes = (
        "The paper kept the checkpoint that was best on the test images, which overstates its accuracy; "
        "here the last epoch is kept.",
    )
    return accuracy_of_lightest(study, config, TEST, paper=TEST_ACCURACY, notes=notes)
