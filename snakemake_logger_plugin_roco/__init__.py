"""Snakemake's `--logger roco`: a line with the study's progress instead of pages of job announcements.

At a terminal the line is renewed; elsewhere each finished job gets a plain line. Errors, warnings and Snakemake's last
messages are shown as usual, and so is everything in a dry run or with --verbose, --printshellcmds or --quiet.
Snakemake's log file has everything in any case.
"""

from snakemake_logger_plugin_roco.handler import LogHandler

__all__ = ["LogHandler"]
