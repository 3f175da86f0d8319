"""What every tier has in common: each run refuses unknown hazards and leaves its results for `make trace`."""

import os

os.environ.setdefault("IONTO_CONFIG", os.devnull)  # the settings of whoever runs the tests are their own

pytest_plugins = ("hazards.plugin",)
