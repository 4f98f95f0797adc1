"""Statistics of plain arrays: intervals, differences, correlations, power. Nothing here knows a study."""
