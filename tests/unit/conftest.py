"""What the unit tests share: Hypothesis without a deadline, because a step may simulate seconds."""

from hypothesis import settings

settings.register_profile("unit", deadline=None)
settings.load_profile("unit")
