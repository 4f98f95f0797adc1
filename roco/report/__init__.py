"""The report: a study's files in; tables, figures and one stand-alone page out. Nothing here trains or attacks."""
