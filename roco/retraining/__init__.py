"""The networks of the final fronts: trained at length, measured and attacked, and handed out."""
