"""Four pictures of the circuit: transfer, compliance, the dead-man's decay, the re-contact of an electrode."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hardware.spice import measure
from hardware.spice.board import Board, board
from hardware.spice.checks import ceiling, compliance, dead_man, lift, transfer
from hardware.spice.checks.common import duty_sweep, loaded
from hardware.spice.spread import ROOM_C, WARM_C, corner
from ionto_sim.spice.netlist import Netlist

_SIZE_IN = (8.0, 4.5)
_DPI = 130
_INK, _BLUE, _RED, _GREY, _GREEN = "#222222", "#1f5fa8", "#b3261e", "#8a8a8a", "#2e7d32"
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def draw(netlist: Netlist, folders: Iterable[Path]) -> None:
    """Write transfer, compliance, dead_man and re_contact as PNG into every folder."""
    boards = {variant: board(netlist, variant) for variant in ("A", "B")}
    with plt.rc_context(_STYLE):
        figures = {
            "transfer": _transfer(boards["A"]),
            "compliance": _compliance(boards),
            "dead_man": _dead_man(boards["A"]),
            "re_contact": _re_contact(boards["A"]),
        }
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            for name, figure in figures.items():
                figure.savefig(folder / f"{name}.png", dpi=_DPI, metadata={"Software": None})
        for figure in figures.values():
            plt.close(figure)


def _line(axes: Axes, y: float, text: str, color: str, x: float = 0.01) -> None:
    """Draw a limit with its name on it."""
    axes.axhline(y, color=color, linewidth=1.0, linestyle=(0, (5, 3)))
    axes.annotate(
        text, (x, y), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points", color=color
    )


def _transfer(variant: Board) -> Figure:
    """Current over duty with its tolerance, the ceiling, and the distance from a straight line."""
    figure, (axes, residual) = plt.subplots(
        2, 1, figsize=_SIZE_IN, sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    waves = duty_sweep(loaded(variant), 0.0, 1.0, 0.02)
    current = measure.shunt_ua(waves)
    duty = waves.x * 100
    most = max(transfer.full_at_corners(variant).values())
    axes.plot(duty, current / 1e3, color=_BLUE, label="current")
    axes.set(ylabel="mA", ylim=(0, 6.6), title="Transfer, variant A: duty to current")
    axes.annotate(
        f"{current[-1] / 1e3:.3f} mA at 100 %\n{most:.3f} mA with every tolerance",
        (100, current[-1] / 1e3),
        xytext=(-190, -110),
        textcoords="offset points",
        color=_BLUE,
    )
    _line(axes, max(ceiling.room(variant).values()), "both limiters, 27 C", _RED)
    _line(axes, 4.0, "most that a dose may ask for", _GREEN)
    part = waves.x >= 0.05
    straight = np.polyval(np.polyfit(waves.x[part], current[part], 1), waves.x[part])
    residual.plot(duty[part], (current[part] - straight) * 1e3, color=_INK)
    residual.set(xlabel="duty, %", ylabel="off the line, nA", xlim=(0, 100.5))
    return figure


def _compliance(boards: dict[str, Board]) -> Figure:
    """Current over the load for several set-points of both variants, with the -1 % points."""
    figure, panels = plt.subplots(1, 2, figsize=_SIZE_IN, layout="constrained")
    cases = {"A": ((1, 2, 3, 4, 5), 28.0), "B": ((10, 15, 20, 25), 2.8)}
    for axes, (name, (currents, most_kohm)) in zip(panels, cases.items(), strict=True):
        for current_ma in currents:
            waves = compliance.load_sweep(boards[name], current_ma, most_kohm * 1e3)
            kohm = waves.x / 1e3
            axes.plot(kohm, measure.shunt_ua(waves) / 1e3, color=_BLUE)
            lost = compliance.largest_kohm(boards[name], current_ma, most_kohm)
            axes.plot(lost, 0.99 * current_ma, "o", color=_RED, markersize=4)
            axes.annotate(f"{lost:.3g} k", (lost, current_ma), xytext=(4, 4), textcoords="offset points", color=_RED)
        axes.set(
            xlabel="load between the electrodes, kohm", title=f"Variant {name}", xlim=(0, most_kohm), ylim=(0, None)
        )
    panels[0].set_ylabel("mA")
    figure.suptitle("Compliance at 24 V: the largest load before 1 % is lost", x=0.01, ha="left", weight="bold")
    return figure


def _dead_man(variant: Board) -> Figure:
    """Output current and pump voltage after the last heartbeat edge: nominal, and at the longest corner."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=_SIZE_IN, sharex=True, layout="constrained")
    longest = {**corner(variant, low=("vth_q3_v",)), **corner(variant, high=dead_man.PUMP)}
    cases = (
        ("stuck low", _BLUE, False, ROOM_C, {}),
        ("stuck high", _INK, True, ROOM_C, {}),
        ("every tolerance, 50 C", _RED, True, WARM_C, longest),
    )
    for place, (name, color, high, temp, settings) in enumerate(cases):
        waves, last_s = dead_man.decay(variant, high, temp, **settings)
        at_ms, current = (waves.x - last_s) * 1e3, measure.shunt_ua(waves)
        off = (measure.last_above_s(waves.x, current, measure.OFF_UA) - last_s) * 1e3
        top.plot(at_ms, current / 1e3, color=color, label=f"{name}: {off:.0f} ms")
        bottom.plot(at_ms, waves.volt("PUMP"), color=color)
        top.annotate("", (off, 0), xytext=(off, 0.8 + 0.3 * place), arrowprops={"arrowstyle": "->", "color": color})
    top.axvline(110, color=_GREY, linestyle=(0, (5, 3)), linewidth=1.0)
    top.annotate("110 ms at most", (110, 3.2), xytext=(4, 0), textcoords="offset points", color=_GREY)
    top.set(ylabel="output, mA", ylim=(0, 5.4), title="Dead-man: the last heartbeat edge is at 0 ms")
    top.legend(loc="upper left", ncols=3)
    bottom.set(xlabel="ms", ylabel="PUMP, V", xlim=(-24, 140), ylim=(0, None))
    return figure


def _re_contact(variant: Board) -> Figure:
    """Current in the load after an electrode touches again, and the charge beyond the set-point."""
    figure, (axes, bars) = plt.subplots(1, 2, figsize=_SIZE_IN, width_ratios=(3, 2), layout="constrained")
    for current_ma, ohm, color in ((1.0, 2000.0, _GREY), (2.0, 1000.0, _BLUE), (4.0, 1000.0, _RED)):
        waves = lift.touched(variant, current_ma, ohm, with_c6=True)
        at_us = (waves.x - lift.TOUCH_S) * 1e6
        axes.plot(at_us, lift.load_ua(waves) / 1e3, color=color, label=f"{current_ma:g} mA into {ohm / 1e3:g} k")
    _line(axes, 6.0, "ceiling", _INK, 0.8)
    axes.set(
        xlabel="us after the touch",
        ylabel="mA",
        xlim=(-1, 20),
        ylim=(0, None),
        title="Re-contact after 1 ms in the air",
    )
    axes.legend(loc="upper right")
    found = lift.excess_charge_with_c6(variant)
    bars.barh(list(found), list(found.values()), color=_BLUE, height=0.6)
    bars.invert_yaxis()
    bars.grid(axis="y", visible=False)
    bars.set(xlabel="charge in 60 us, nC", title="Beyond the set-point")
    return figure
