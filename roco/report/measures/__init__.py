"""The measurements of a study's networks and searches, and their comparisons: frames of numbers."""
