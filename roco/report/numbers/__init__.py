"""Statistics: intervals, differences and their power. Nothing here knows a table or a figure."""
