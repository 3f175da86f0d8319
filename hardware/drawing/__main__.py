"""Write the KiCad project: `python -m hardware.drawing [FOLDER]`, by default hardware/schematics."""

from __future__ import annotations

import argparse
from pathlib import Path

from hardware.folders import SCHEMATICS

from . import project


def main() -> None:
    """Write library, project and sheets."""
    parser = argparse.ArgumentParser(prog="python -m hardware.drawing", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=SCHEMATICS, help="where to write the project")
    project.write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
