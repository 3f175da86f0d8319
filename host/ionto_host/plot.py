"""A session as one picture: current against set-point, load, charge against prescription, events marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ionto import sessionlog_format as layout
from ionto_host.errors import MissingPartError
from ionto_host.sessionfile import Event, Sample, Session, delivered, has_current, load_kohm, summary
from ionto_host.units import ma, ma_min, printable

SIZE_INCH = (10.0, 8.0)
DPI = 120
COLOURS = {
    "setpoint": "#888888",
    "current": "#1f5fa8",
    "voltage": "#b5541c",
    "load": "#3f7f3f",
    "charge": "#1f5fa8",
    "fault": "#c00000",
    "event": "#666666",
}
FOOTER = "IontoPico: for bench work, teaching and research; not a cleared medical device"


def save_png(session: Session, path: Path) -> None:
    """Draw `session` to the PNG file `path`; `MissingPartError` without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPartError("plots need matplotlib", "Install it: pip install matplotlib") from error
    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    minutes = [sample.t_ms / 60_000 for sample in session.samples]
    _draw_current(axes[0], minutes, session.samples)
    _draw_load(axes[1], minutes, session.samples)
    _draw_charge(axes[2], minutes, session)
    _mark_events(axes, session.events)
    for axis in axes:
        axis.grid(True, alpha=0.25)
        axis.margins(x=0.01)
    axes[0].set_title(_title(session), loc="left", fontsize=11)
    axes[2].set_xlabel("time, min")
    figure.supxlabel(FOOTER, fontsize=7, color=COLOURS["event"])
    figure.savefig(path, dpi=DPI, format="png")


def _draw_current(axis: Any, minutes: list[float], samples: list[Sample]) -> None:
    low = [ma(sample.current_min_ua) for sample in samples]
    high = [ma(sample.current_max_ua) for sample in samples]
    mean = [ma(sample.current_mean_ua) for sample in samples]
    axis.fill_between(minutes, low, high, color=COLOURS["current"], alpha=0.25, label="min to max", linewidth=0)
    axis.plot(minutes, mean, color=COLOURS["current"], linewidth=1.4, label="measured")
    setpoint = [ma(sample.setpoint_ua) for sample in samples]
    axis.plot(minutes, setpoint, color=COLOURS["setpoint"], linewidth=1.0, linestyle="--", label="set-point")
    axis.set_ylabel("current, mA")
    axis.set_ylim(bottom=0)
    axis.legend(loc="lower center", ncols=3, fontsize=8, frameon=False)


def _draw_load(axis: Any, minutes: list[float], samples: list[Sample]) -> None:
    """Draw voltage and impedance of the load while current flows; without current neither means anything."""
    loads = [load_kohm(sample) for sample in samples]
    gap = float("nan")
    volts = [item.load_mv / 1_000 if has_current(item) else gap for item in samples]
    axis.plot(minutes, volts, color=COLOURS["voltage"], linewidth=1.2)
    axis.set_ylabel("load voltage, V", color=COLOURS["voltage"])
    axis.set_ylim(bottom=0)
    other = axis.twinx()
    impedances = [gap if load is None else load for load in loads]
    other.plot(minutes, impedances, color=COLOURS["load"], linewidth=1.2)
    other.set_ylabel("impedance, kohm", color=COLOURS["load"])
    other.set_ylim(bottom=0)


def _draw_charge(axis: Any, minutes: list[float], session: Session) -> None:
    charge = [ma_min(sample.charge_uc) for sample in session.samples]
    axis.plot(minutes, charge, color=COLOURS["charge"], linewidth=1.4, label="delivered")
    dose_uc = session.dose.get("dose_uc")
    if isinstance(dose_uc, int):
        label = f"prescribed {ma_min(dose_uc):g} mA*min"
        axis.axhline(ma_min(dose_uc), color=COLOURS["setpoint"], linestyle="--", linewidth=1.0, label=label)
    axis.set_ylabel("charge, mA*min")
    axis.set_ylim(bottom=0)
    axis.legend(loc="lower right", fontsize=8, frameon=False)


def _mark_events(axes: Any, events: list[Event]) -> None:
    """Draw a line for each event through all axes, its words on top; leave out labels that would collide."""
    last_ms = max((event.t_ms for event in events), default=0)
    labelled_ms = -last_ms
    for event in events:
        fault = event.event == layout.FAULT_LATCHED
        colour = COLOURS["fault"] if fault else COLOURS["event"]
        for axis in axes:
            axis.axvline(event.t_ms / 60_000, color=colour, linewidth=1.2 if fault else 0.6, alpha=0.7)
        if fault or event.t_ms - labelled_ms >= 0.02 * last_ms:
            _label(axes[0], event, colour, late=event.t_ms > 0.97 * last_ms)
            labelled_ms = event.t_ms


def _label(axis: Any, event: Event, colour: str, late: bool) -> None:
    axis.annotate(
        event.describe(),
        xy=(event.t_ms / 60_000, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-2 if late else 2, 0),
        textcoords="offset points",
        rotation=90,
        va="top",
        ha="right" if late else "left",
        fontsize=7,
        color=colour,
    )


def _title(session: Session) -> str:
    facts = summary(session)
    prescribed = facts["dose_prescribed_ma_min"]
    dose = delivered(facts)
    dose += f" of {prescribed:g} mA*min" if prescribed is not None else " mA*min"
    proof = "log verified" if session.verified else "LOG DAMAGED OR INCOMPLETE"
    return printable(f"{facts['name'] or 'session'}: {session.outcome}, {dose}, {proof}")
