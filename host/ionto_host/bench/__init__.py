"""The bench: one board, an independent meter and a load, described in one file and driven by one suite.

`benchfile` reads `bench.toml`, `rig` builds what it names (a real board, or a virtual or emulated Pico), `plugin` is
the pytest plugin with the fixtures `device`, `meter`, `load` and `power`, `acceptance` the suite itself.
"""

VARIABLE = "IONTO_BENCH"  # in the environment: the bench file
SIMULATED_TIERS = ("virtual", "emulated")
TIERS = (*SIMULATED_TIERS, "bench")
