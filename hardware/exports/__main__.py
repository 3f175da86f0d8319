"""Export the schematic: netlist, PDF, one SVG a sheet, bill of materials. `python -m hardware.exports [--check]`.

Needs `kicad-cli` of KiCad 9 (see hardware/README.md).
"""

from __future__ import annotations

import argparse
import sys

from hardware.exports import files
from hardware.exports.kicad import KicadError
from hardware.folders import HERE


def main() -> int:
    """Export, or with --check say whether the committed exports are current; 1 when they are not."""
    parser = argparse.ArgumentParser(prog="python -m hardware.exports", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    try:
        if parser.parse_args().check:
            found = files.stale()
            print("\n".join(found) or "exports are current")
            return 1 if found else 0
        for path in files.write():
            print(path.relative_to(HERE))
    except KicadError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
