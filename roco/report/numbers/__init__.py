"""Statistics of plain arrays: intervals, differences, correlations, power. Independent of studies."""
