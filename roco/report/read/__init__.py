"""Reading: the files of a study as data frames."""
