"""Every error that roco raises on purpose. A message is one line: the thing, what was expected, what came, what to do.

RocoError
├── ConfigError      a setting that cannot be right
├── GenomeError      a genome text or bit string that is malformed
├── DatasetError     images or labels that cannot be used, or are missing
├── ArtifactError    a result file that is missing, damaged or of another kind
├── FileAccessError  a file that the system cannot read or write now; its content may be whole
├── AttackError      an attack that cannot be run on these images or networks
├── ClusterError     SLURM does not answer
└── TrainingFailed   a network whose training did not end (NaN, out of memory, killed, too slow)
"""

# The reason of a training that ran out of memory begins with these words.
OUT_OF_MEMORY = "out of memory"


def in_one_line(text: object, length: int = 200) -> str:
    """A text on one line, cut to `length` characters, such as the message of another library's error."""
    return " ".join(str(text).split())[:length]


class RocoError(Exception):
    """The root of the tree. Users see its errors as one line, without a traceback."""


class ConfigError(RocoError):
    """A configuration that cannot be right."""


class GenomeError(RocoError):
    """A genome text or bit string that is malformed."""


class DatasetError(RocoError):
    """Images or labels that are missing or cannot be used."""


class ArtifactError(RocoError):
    """A result file that is missing, damaged, or of another kind."""


class FileAccessError(RocoError):
    """A file that the system cannot read or write now; its content may be whole."""


class AttackError(RocoError):
    """An attack that cannot be run on these images or networks."""


class ClusterError(RocoError):
    """SLURM does not say which jobs of a study it has."""


class TrainingFailed(RocoError):
    """A training that did not reach its end; the message is the reason in its record."""
