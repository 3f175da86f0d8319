"""What every tier has in common: each run refuses unknown hazards and leaves its results for `make trace`."""

pytest_plugins = ("hazards.plugin",)
