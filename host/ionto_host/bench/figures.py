"""The figures of a verification report, as SVG: error against current, and the courses of doses."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

from ionto_host.bench import record
from ionto_host.errors import MissingPartError
from ionto_host.logs import plot

_COLOURS = ("#14639e", "#b5541c", "#3c7a4a", "#7a4fa3", "#8a6d00", "#c3232d")
_WIDE = (7.6, 3.0)


def accuracy(run: Mapping[str, Any]) -> str | None:
    """Return the errors of the current over the set-point by load, with their limits; None without any."""
    rows = [
        row
        for row in run["rows"]
        if row["quantity"] in (record.FLOWS, record.READS) and "load_ohm" in row["conditions"]
    ]
    rows = [row for row in rows if row["test"].startswith("test_accuracy")]
    if not rows:
        return None
    return _svg(lambda figure: _draw_accuracy(figure, rows))


def _draw_accuracy(figure: Any, rows: list[dict[str, Any]]) -> None:
    axes = figure.subplots(1, 2, sharey=True, sharex=True)
    loads = sorted({row["conditions"]["load_ohm"] for row in rows})
    for axis, quantity in zip(axes, (record.FLOWS, record.READS), strict=True):
        mine = [row for row in rows if row["quantity"] == quantity]
        _draw_limits(axis, mine)
        for index, ohm in enumerate(loads):
            points = sorted(
                (row["conditions"]["set_ua"] / 1_000, row["value"])
                for row in mine
                if row["conditions"]["load_ohm"] == ohm
            )
            colour = _COLOURS[index % len(_COLOURS)]
            axis.plot(
                *zip(*points, strict=True),
                "o-",
                color=colour,
                markersize=3.5,
                linewidth=1,
                label=f"{ohm / 1000:g} kohm",
            )
        axis.set_title(quantity, loc="left", fontsize=9)
        axis.set_xlabel("set-point, mA")
        axis.axhline(0, color=plot.QUIET, linewidth=0.7)
        axis.grid(True)
    axes[0].set_ylabel("error, uA")
    axes[0].legend(fontsize=8, framealpha=0.9, edgecolor="none")


def _draw_limits(axis: Any, rows: list[dict[str, Any]]) -> None:
    bounds = sorted({(row["conditions"]["set_ua"] / 1_000, row["low"], row["high"]) for row in rows})
    at = [bound[0] for bound in bounds]
    axis.fill_between(
        at, [bound[1] for bound in bounds], [bound[2] for bound in bounds], color=plot.LOAD, alpha=0.10, linewidth=0
    )


def courses(run: Mapping[str, Any]) -> str | None:
    """Return the courses of the doses that the meter saw, each with its set-point; None without any."""
    found = [series for series in run["series"] if series["columns"] == ["s", "uA"] and series["rows"]]
    if not found:
        return None
    return _svg(lambda figure: _draw_courses(figure, found))


def _draw_courses(figure: Any, found: list[dict[str, Any]]) -> None:
    axes = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    for axis, series in zip(axes, found, strict=True):
        times, currents = zip(*series["rows"], strict=True)
        axis.axhline(series["set_ua"] / 1_000, color=plot.INK, linewidth=0.9, linestyle=(0, (4, 2)))
        axis.plot(times, [current / 1_000 for current in currents], color=plot.CURRENT, linewidth=1.3)
        axis.set_title(f"{series['name']}, {series['load_ohm'] / 1000:g} kohm", loc="left", fontsize=9)
        axis.set_xlabel("time, s")
        axis.grid(True)
    axes[0].set_ylabel("current by the meter, mA")


def _svg(draw: Callable[[Any], None]) -> str:
    """Return what `draw` draws as an SVG element; `MissingPartError` without matplotlib."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPartError("reports of a bench need matplotlib", "pip install 'iontopico[bench]'") from error
    out = io.BytesIO()
    with matplotlib.rc_context(plot.STYLE):
        figure = Figure(figsize=_WIDE, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue().decode()
    return text[text.index("<svg") :]
