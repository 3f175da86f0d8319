"""Reader of ngspice's binary raw file: real vectors of one plot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_MARK = b"Binary:\n"


class RawFileError(Exception):
    """The raw file is missing, empty or not what was asked for."""


def read(path: Path) -> dict[str, Vector]:
    """Return the vectors of the first plot by name in lower case ("time", "v(drain)", "i(v3v3)"), in SI units."""
    data = path.read_bytes() if path.exists() else b""
    head, mark, body = data.partition(_MARK)
    if not mark:
        raise RawFileError(f"{path.name}: no binary plot in it; did ngspice run the analysis?")
    lines = head.decode("ascii").splitlines()
    header = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "real" not in header.get("Flags", ""):
        raise RawFileError(f"{path.name}: a plot of real numbers was expected, got flags {header.get('Flags')!r}")
    names = list(_names(lines))
    points = int(header["No. Points"])
    table = np.frombuffer(body, dtype="<f8", count=points * len(names)).reshape(points, len(names))
    if not points:
        raise RawFileError(f"{path.name}: the plot has no points")
    return {name: table[:, column].copy() for column, name in enumerate(names)}


def _names(lines: list[str]) -> Iterator[str]:
    """Yield the names of the vectors, in their order in the file."""
    for line in lines[lines.index("Variables:") + 1 :]:
        yield line.split()[1].lower()
