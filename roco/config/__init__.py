"""The configuration of a whole study: what the rooms' settings (`settings.py` in each) make together, read and checked.

A default is the paper's value where the paper has one (IJCNN 2021, Section IV and Table II). Importing this package is
cheap: neither torch nor pymoo is needed to check a configuration.
"""

from roco.config.reading import read_yaml
from roco.config.study import MainComparison, Part, ReportConfig, StudyConfig, check_config, load_config

__all__ = ["MainComparison", "Part", "ReportConfig", "StudyConfig", "check_config", "load_config", "read_yaml"]
