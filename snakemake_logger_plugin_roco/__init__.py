"""Snakemake's `--logger roco`: one line that says how far the study is, in place of pages of job announcements.

At a terminal the line is renewed in place; elsewhere each finished job is a plain line. Errors, warnings and what
Snakemake says at the end are shown as ever, and so is everything in a dry run, with --verbose, --printshellcmds or
--quiet. Snakemake's own log file has all of it in any case.
"""

from snakemake_logger_plugin_roco.handler import LogHandler

__all__ = ["LogHandler"]
