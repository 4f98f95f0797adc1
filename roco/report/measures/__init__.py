"""What was measured of a study's networks and searches, and what is compared with what: frames of numbers."""
