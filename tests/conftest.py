"""Settings of all tests."""

from hypothesis import settings

# Slow machines are not failures, and a run of the suite is to be repeatable.
settings.register_profile("roco", deadline=None, derandomize=True)
settings.load_profile("roco")
