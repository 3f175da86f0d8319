"""`make hardware`: electrical rules, netlist checks and SPICE, as one table; JSON and plots in build/hardware/."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from rich.console import Console

from hardware import report
from hardware.exports import kicad, tools
from hardware.folders import HERE, PICTURES
from hardware.report import Row
from hardware.spice import checks, plots, runner
from ionto_sim.spice import netlist

ROOT = HERE.parent
OUT = ROOT / "build" / "hardware"


def electrical_rules() -> Row:
    """Run KiCad's electrical rules check on the whole schematic; any violation, also a warning, fails."""
    said = kicad.erc()
    (OUT / "erc.txt").write_text(said, encoding="utf-8")
    worst, where = ("violations", "build/hardware/erc.txt") if said else ("0", "all sheets")
    return Row("schematic", "electrical rules", "", "0 violations", worst, where, not said)


def hardware_tests() -> Row:
    """Run tests/hardware: pins, values, wiring, that wrong wiring is caught, the virtual Pico against SPICE."""
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", "tests/hardware"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (OUT / "tests.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    passed = re.search(r"(\d+) passed", done.stdout)
    bad = re.search(r"(\d+) (failed|error|skipped)", done.stdout)
    sound = done.returncode == 0 and passed is not None and bad is None
    where = "tests/hardware" if sound else "build/hardware/tests.txt"
    return Row(
        "schematic",
        "tests of netlist and models",
        "",
        "all pass",
        passed.group(0) if passed else "none ran",
        where,
        sound,
    )


def main() -> int:
    """Run everything; 0 only when every line of the table passes."""
    options = argparse.ArgumentParser(prog="python -m hardware", description=__doc__)
    options.add_argument(
        "--pictures", action="store_true", help="also write the plots of the documents, hardware/pictures/"
    )
    options.add_argument("--only", metavar="GROUP", help="the SPICE checks of one group, and nothing else")
    arguments = options.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        tools.ensure()
    except tools.ToolError as error:
        console.print(f"make hardware: {error}", style="bold red", markup=False)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    rows = [] if arguments.only else [electrical_rules(), hardware_tests()]
    chosen = [check for check in checks.ALL if arguments.only in (None, check.group)]
    drawn = netlist.read()
    outcomes = runner.run(drawn, chosen)
    runner.write_json(outcomes, OUT / "spice.json")
    rows += [report.row_of(outcome) for outcome in outcomes]
    if not arguments.only:
        plots.draw(drawn, [OUT, PICTURES] if arguments.pictures else [OUT])
    report.show(rows, console)
    return 0 if rows and all(row.verdict for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
