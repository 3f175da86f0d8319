"""Where the board's files are: one place for every tool of this folder."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
PINOUT = HERE / "pinout.md"
PICTURES = HERE / "pictures"  # what the documents show of SPICE and of the breadboard
SCHEMATICS = HERE / "schematics"
ROOT_SHEET = SCHEMATICS / "iontopico.kicad_sch"
EXPORTS = SCHEMATICS / "exports"
NETLIST = EXPORTS / "iontopico.net"
