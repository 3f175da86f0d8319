"""KiCad's command line: running `kicad-cli`, the electrical rules check."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from hardware.folders import ROOT_SHEET

_VIOLATIONS = 5  # exit status of `sch erc --exit-code-violations`


class KicadError(RuntimeError):
    """`kicad-cli` is missing or failed; the message says what to do."""


def kicad(*arguments: str, also: int = 0) -> int:
    """Run `kicad-cli` and return its exit status, 0 or `also`; KicadError when it is missing or ends otherwise."""
    program = shutil.which("kicad-cli")
    if program is None:
        raise KicadError("kicad-cli is missing: install KiCad 9, or run `make hardware`, which does")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, also):
        raise KicadError(f"kicad-cli {' '.join(arguments[:3])} failed: {done.stdout}{done.stderr}")
    return done.returncode


def erc(root_sheet: Path = ROOT_SHEET) -> str:
    """Return KiCad's report of every violation, warnings included, of a schematic; an empty text when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "erc.rpt"
        output = ("--output", str(report), str(root_sheet))
        status = kicad("sch", "erc", "--severity-all", "--exit-code-violations", *output, also=_VIOLATIONS)
        return report.read_text(encoding="utf-8") if status else ""
