"""Where a part stands in the drawing: its sheet as a picture, and the part of the picture around it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from hardware.folders import SCHEMATICS
from ionto_sim.spice import netlist as netlists

_AROUND_MM = (70.0, 50.0)


@cache
def _symbols(sheet: Path) -> dict[str, tuple[float, float]]:
    """Return the places of the symbols of a sheet by reference, in mm from its upper left corner."""
    found: dict[str, tuple[float, float]] = {}
    for item in netlists.parse(sheet.read_text(encoding="utf-8")):
        if isinstance(item, list) and item[0] == "symbol":
            fields = {entry[1]: entry[2] for entry in item if isinstance(entry, list) and entry[0] == "property"}
            place = next(entry for entry in item if isinstance(entry, list) and entry[0] == "at")
            found[str(fields["Reference"])] = (float(str(place[1])), float(str(place[2])))
    return found


def picture(sheet_name: str) -> str:
    """Return the file name of the picture of a sheet, which `hardware` makes of its title."""
    return re.sub(r"[^a-z0-9]+", "-", sheet_name.lower()).strip("-") + ".svg"


def link(netlist: netlists.Netlist, reference: str) -> str:
    """Return the path from the project's folder to a part's place in the drawing; "" for what is no part."""
    component = netlist.components.get(reference)
    if component is None:
        return ""
    exports = "hardware/schematics/exports/"
    x, y = _symbols(SCHEMATICS / component.fields["Sheetfile"]).get(reference, (0.0, 0.0))
    width, height = _AROUND_MM
    left, top = max(0.0, x - width / 2), max(0.0, y - height / 2)
    return f"{exports}{picture(component.fields['Sheetname'])}#svgView(viewBox({left:g},{top:g},{width:g},{height:g}))"
