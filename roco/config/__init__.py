"""The configuration of a whole study, put together from the settings of the rooms (`settings.py` in each).

A default is the paper's value where the paper has one (IJCNN 2021, Section IV and Table II). Importing this package is
cheap: neither torch nor pymoo is needed to check a configuration.
"""

from roco.config.reading import read_yaml
from roco.config.report_settings import MainComparison, ReportConfig
from roco.config.study import Part, StudyConfig, check_config, load_config

__all__ = ["MainComparison", "Part", "ReportConfig", "StudyConfig", "check_config", "load_config", "read_yaml"]
