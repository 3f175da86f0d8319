"""hardware/pinout.md from the firmware's pin table and the netlist. `python -m hardware.drawing.pinout [--check]`."""

from __future__ import annotations

import argparse

from hardware.folders import PINOUT
from hardware.wiring.checks import ON_MODULE, PICO
from ionto_host.tables import pin_numbers
from ionto_sim.spice.netlist import Netlist, natural, read

_HEAD = """# Pinout of the Pico

Made by `python -m hardware.drawing.pinout` from `firmware/lib/ionto/pins.py` and the schematic's netlist; a test keeps
it so.

## The header, seen from above, USB on top

| net | name | pin | pin | name | net |
|---|---|---|---|---|---|
"""
_NETS = """
## The nets

| net | GPIO | pin | goes to |
|---|---|---|---|
"""
_MODULE = """
On the module itself, not on the header: {}. A Pico W uses these three for its radio; fit a Pico.
"""
_PAIRS = 20


def text(netlist: Netlist) -> str:
    """Return the page."""
    rows = []
    for left in range(1, _PAIRS + 1):
        right = 41 - left
        cells = (_net(netlist, left), _name(netlist, left), left, right, _name(netlist, right), _net(netlist, right))
        rows.append("| " + " | ".join(str(cell) for cell in cells) + " |\n")
    nets = [_line(netlist, net, gpio) for net, gpio in pin_numbers().items() if net not in ON_MODULE]
    module = ", ".join(f"GP{gpio} `{net}`" for net, gpio in pin_numbers().items() if net in ON_MODULE)
    return _HEAD + "".join(rows) + _NETS + "".join(nets) + _MODULE.format(module)


def _name(netlist: Netlist, pin: int) -> str:
    return netlist.pin_names[(PICO, str(pin))]


def _net(netlist: Netlist, pin: int) -> str:
    net = netlist.net_of(PICO, str(pin))
    if net.startswith("unconnected-"):
        return "open"
    return net if net == "GND" else f"**{net}**"


def _line(netlist: Netlist, net: str, gpio: int) -> str:
    pin = next(int(number) for reference, number in netlist.nets[net] if reference == PICO)
    others = sorted((node for node in netlist.nets[net] if node[0] != PICO), key=lambda node: natural(node[0]))
    ends = ", ".join(_end(netlist, *node) for node in others)
    return f"| `{net}` | GP{gpio} | {pin} | {ends} |\n"


def _end(netlist: Netlist, reference: str, pin: str) -> str:
    """Return a part on a net as "R2 (keeps PWM_SETPOINT low)", with the pin's name where it has one."""
    part = netlist.components[reference]
    name = netlist.pin_names.get((reference, pin), "")
    return f"{reference}{f' {name}' if name else ''} ({part.fields['Description']})"


def main() -> int:
    """Write the page, or with --check say whether it is current; 1 when it is not."""
    parser = argparse.ArgumentParser(prog="python -m hardware.drawing.pinout", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    page = text(read())
    if not parser.parse_args().check:
        PINOUT.write_text(page, encoding="utf-8")
        return 0
    current = PINOUT.exists() and PINOUT.read_text(encoding="utf-8") == page
    print(
        "hardware/pinout.md is current"
        if current
        else "hardware/pinout.md is stale; run python -m hardware.drawing.pinout"
    )
    return 0 if current else 1


if __name__ == "__main__":
    raise SystemExit(main())
