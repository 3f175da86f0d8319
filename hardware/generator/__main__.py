"""Write the KiCad project: `python -m hardware.generator [FOLDER]`, by default hardware/schematics."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import project

HERE = Path(__file__).resolve().parents[1] / "schematics"


def main() -> None:
    """Write library, project and sheets."""
    parser = argparse.ArgumentParser(prog="python -m hardware.generator", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="where to write the project")
    project.write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
