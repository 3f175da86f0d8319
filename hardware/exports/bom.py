"""The bill of materials, from the netlist: one line for each part number, both variants beside each other."""

from __future__ import annotations

import csv
import io

from ionto_sim.spice.netlist import Component, Netlist, natural

HEADER = (
    "Reference", "Qty", "Value", "B value", "MPN", "B MPN",
    "Description", "Tolerance", "Rating", "Package", "Cost class",
)  # fmt: skip


def rows(netlist: Netlist) -> list[tuple[str, ...]]:
    """Return the table's rows in the order of `HEADER`; the value "omit": the variant leaves the part out."""
    groups: dict[tuple[str, ...], list[Component]] = {}
    for part in netlist.components.values():
        if not part.reference.startswith("#"):
            groups.setdefault(_key(part), []).append(part)
    table = []
    for key, parts in groups.items():
        parts.sort(key=lambda part: natural(part.reference))
        references = " ".join(part.reference for part in parts)
        uses = "; ".join(dict.fromkeys(part.fields["Description"] for part in parts))
        table.append((references, str(len(parts)), *key[:4], uses, *key[4:]))
    return sorted(table, key=lambda row: natural(row[0].split()[0]))


def text(netlist: Netlist) -> str:
    """Return the bill of materials as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows(netlist))
    return out.getvalue()


def _key(part: Component) -> tuple[str, ...]:
    get = part.fields.get
    value = "(test point)" if part.reference.startswith("TP") else part.value_in("A") or "omit"
    value_b = value if part.reference.startswith("TP") else part.value_in("B") or "omit"
    mpn, mpn_b = get("MPN", ""), get("MPN_B", "")
    return (
        value,
        "" if value_b == value else value_b,
        mpn,
        mpn_b,
        get("Tolerance", ""),
        get("Rating", ""),
        get("Package", ""),
        get("Cost", ""),
    )
