"""The board: schematic, its checks and its proof in SPICE."""
