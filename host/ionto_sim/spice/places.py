"""Where netlist and device models are: beside this file in the wheel, in the schematic's folder in a checkout."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_NAME = "iontopico.net"
MODELS = _HERE / "models.lib"


def netlist_path() -> Path:
    """Return the exported netlist of the schematic."""
    shipped = _HERE / _NAME
    if shipped.exists():
        return shipped
    return _HERE.parents[2] / "hardware" / "schematics" / "exports" / _NAME
