"""The networks of the final fronts: trained at length, measured, attacked and exported."""
