"""A session as pictures: current against set-point, electrode voltage, load, charge against prescription, events."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.errors import MissingPartError
from ionto_host.logs.sessionfile import (
    NO_END_FLAW,
    NO_SAMPLES,
    Event,
    Sample,
    Session,
    delivered,
    has_load_voltage,
    load_kohm,
    summary,
)
from ionto_host.units import ma, ma_min, printable

SIZE_INCH = (10.0, 9.0)
PAGE_INCH = (7.6, 6.6)  # in a report
DPI = 130
_SECONDS_TO_MS = 120_000  # shorter sessions are drawn in seconds
INK, QUIET, GRID = "#1d2733", "#7b8794", "#e3e8ee"
CURRENT, VOLTAGE, LOAD, FAULT, POLE = "#14639e", "#b5541c", "#3c7a4a", "#c3232d", "#7a4fa3"
FOOTER = "IontoPico: for bench work, teaching and research; not a cleared medical device"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "ionto",
}
GAP = float("nan")
_GAP_PERIODS = 6  # a longer time without a sample is a pause, or a damaged record: no line goes through it
_LEGEND: dict[str, Any] = {"framealpha": 0.9, "edgecolor": "none", "borderpad": 0.2}
_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # so that the same log gives the same file
_MARKED = (
    layout.STATE_CHANGED,
    layout.FAULT_LATCHED,
    layout.SECOND_FAULT,
    layout.GAP,
    layout.CONTACT_LIMITED,
    layout.POLARITY,
    layout.COMFORT,
    layout.REQUESTED,
    layout.BUTTON,
)
_QUIET_STATES = (protocol.SELF_TESTING, protocol.ARMED)  # all within the first second or two
_HEIGHTS = (3.2, 1.9, 1.6, 2.2)
_LEAST_SPACE = 0.035  # of the width, between two event marks that both have words


def svg(session: Session) -> str:
    """Return `session` drawn as an SVG element for a page of HTML, without title and footer."""
    text = rendered(session, "svg", titled=False).decode()
    return text[text.index("<svg") :]


def rendered(session: Session, kind: str, titled: bool = True) -> bytes:
    """Return the drawing of `session` as "svg" or "pdf", as PNG for any other `kind`.

    Raises `MissingPartError` without matplotlib.
    """
    kind = kind if kind in ("svg", "pdf") else "png"
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPartError("plots need matplotlib", "Install it: pip install matplotlib") from error
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE_INCH if titled else PAGE_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, session, titled)
        figure.savefig(out, dpi=DPI, format=kind, metadata=_UNDATED.get(kind))
    return out.getvalue()


def draw(figure: Any, session: Session, titled: bool = True) -> None:
    """Draw `session` on the matplotlib `figure`."""
    axes = figure.subplots(4, 1, sharex=True, height_ratios=_HEIGHTS)
    samples = session.samples
    looks = session.watched.looks if session.watched else []
    seen_ms = [look.elapsed_ms for look in looks]
    last_ms = max([*(item.t_ms for item in (*samples[-1:], *session.events)), *seen_ms], default=1_000) or 1_000
    scale, unit = (1_000, "s") if last_ms < _SECONDS_TO_MS else (60_000, "min")
    times = _with_gaps(samples, lambda sample: sample.t_ms / scale)
    _draw_current(axes[0], times, samples)
    _draw_voltage(axes[1], times, samples)
    _draw_load(axes[2], times, samples)
    _draw_charge(axes[3], times, session)
    if looks:
        _draw_seen(axes[0], [at_ms / scale for at_ms in seen_ms], [ma(look.current_ua) for look in looks])
        _draw_seen(axes[3], [at_ms / scale for at_ms in seen_ms], [ma_min(look.charge_uc) for look in looks])
    if not samples:
        words = "no samples: nothing that was measured over time is in the log"
        axes[0].text(0.5, 0.5, words, transform=axes[0].transAxes, ha="center", va="center", color=FAULT, fontsize=10)
    for axis in axes:
        axis.grid(True)
        axis.set_axisbelow(True)
        axis.set_xlim(0, last_ms / scale)
        top = axis.dataLim.y1
        axis.set_ylim(0, 1.08 * top if 0 < top < float("inf") else 1)
        axis.yaxis.set_label_coords(-0.07, 0.5)
    _mark_events(axes, session.events, last_ms, scale)
    axes[3].set_xlabel(f"time since START, {unit}")
    if titled:
        figure.suptitle(_title(session), x=0.01, ha="left", fontsize=11)
        figure.supxlabel(FOOTER, fontsize=7, color=QUIET)


def _breaks(samples: list[Sample]) -> list[int]:
    """Return the indices before which a stretch of time has no sample."""
    steps = [second.t_ms - first.t_ms for first, second in pairwise(samples)]
    if not steps:
        return []
    usual = sorted(steps)[len(steps) // 2]
    return [index + 1 for index, step in enumerate(steps) if step > _GAP_PERIODS * usual]


def _with_gaps(samples: list[Sample], value: Callable[[Sample], float]) -> list[float]:
    """Return `value` of each sample, with a NaN where a stretch has none."""
    gaps = set(_breaks(samples))
    values: list[float] = []
    for index, sample in enumerate(samples):
        if index in gaps:
            values.append(GAP)
        values.append(value(sample))
    return values


def _draw_current(axis: Any, times: list[float], samples: list[Sample]) -> None:
    low = _with_gaps(samples, lambda sample: ma(sample.current_min_ua))
    high = _with_gaps(samples, lambda sample: ma(sample.current_max_ua))
    mean = _with_gaps(samples, lambda sample: ma(sample.current_mean_ua))
    setpoint = _with_gaps(samples, lambda sample: ma(sample.setpoint_ua))
    axis.fill_between(times, low, high, color=CURRENT, alpha=0.22, label="least to greatest", linewidth=0)
    axis.plot(times, mean, color=CURRENT, linewidth=1.5, label="measured, mean")
    axis.plot(times, setpoint, color=INK, linewidth=0.9, linestyle=(0, (4, 2)), label="set-point")
    axis.set_ylabel("current, mA")
    axis.legend(loc="lower center", ncols=3, fontsize=8, **_LEGEND)


def _draw_seen(axis: Any, times: list[float], values: list[float]) -> None:
    """Draw what a host saw as points of their own: the log does not have it."""
    axis.plot(times, values, ".", color=QUIET, markersize=4, label="seen by the host, not in the log")
    axis.legend(loc="best", fontsize=8, **_LEGEND)


def _draw_voltage(axis: Any, times: list[float], samples: list[Sample]) -> None:
    """Draw the voltage at the electrodes while current flows; without current it means nothing."""
    mean = _with_gaps(samples, lambda sample: sample.load_mv / 1_000 if has_load_voltage(sample) else GAP)
    high = _with_gaps(samples, lambda sample: sample.load_max_mv / 1_000 if has_load_voltage(sample) else GAP)
    axis.fill_between(times, mean, high, color=VOLTAGE, alpha=0.22, linewidth=0)
    axis.plot(times, mean, color=VOLTAGE, linewidth=1.3)
    axis.set_ylabel("electrode\nvoltage, V")


def _draw_load(axis: Any, times: list[float], samples: list[Sample]) -> None:
    def kohm(sample: Sample) -> float:
        load = load_kohm(sample)
        return GAP if load is None else load

    axis.plot(times, _with_gaps(samples, kohm), color=LOAD, linewidth=1.3)
    axis.set_ylabel("load, kohm")


def _draw_charge(axis: Any, times: list[float], session: Session) -> None:
    charge = _with_gaps(session.samples, lambda sample: ma_min(sample.charge_uc))
    axis.fill_between(times, 0, charge, color=CURRENT, alpha=0.10, linewidth=0)
    axis.plot(times, charge, color=CURRENT, linewidth=1.5, label="delivered")
    dose_uc = session.dose.get("dose_uc")
    if isinstance(dose_uc, int):
        label = f"prescribed, {ma_min(dose_uc):g} mA*min"
        axis.axhline(ma_min(dose_uc), color=INK, linestyle=(0, (4, 2)), linewidth=0.9, label=label)
    axis.set_ylabel("charge, mA*min")
    axis.legend(loc="best", fontsize=8, **_LEGEND)


def colour_of(event: Event) -> str:
    """Return the colour that marks `event`: faults, changes of the pole or contact, the rest."""
    if event.event in (layout.FAULT_LATCHED, layout.SECOND_FAULT):
        return FAULT
    if event.event in (layout.CONTACT_LIMITED, layout.COMFORT):
        return VOLTAGE
    return POLE if event.event == layout.POLARITY else QUIET


def _marked(events: Sequence[Event]) -> list[Event]:
    return [
        event
        for event in events
        if event.event in _MARKED and not (event.event == layout.STATE_CHANGED and event.code in _QUIET_STATES)
    ]


def _mark_events(axes: Any, events: list[Event], last_ms: int, scale: int) -> None:
    """Draw a line for each event through all axes, its words above; words that would collide are left out."""
    marked = _marked(events)
    for event in marked:
        strong = event.event in (layout.FAULT_LATCHED, layout.SECOND_FAULT)
        for axis in axes:
            axis.axvline(event.t_ms / scale, color=colour_of(event), linewidth=1.3 if strong else 0.7, alpha=0.8)
    taken: list[int] = []
    for event in sorted(marked, key=lambda item: (_rank(item), item.t_ms)):
        if all(abs(event.t_ms - other) >= _LEAST_SPACE * last_ms for other in taken):
            taken.append(event.t_ms)
            _label(axes[0], event, scale)


def _rank(event: Event) -> int:
    """Return what is told first where there is no room for all: faults, then poles and contact, then states."""
    order = (
        layout.FAULT_LATCHED,
        layout.SECOND_FAULT,
        layout.COMFORT,
        layout.POLARITY,
        layout.CONTACT_LIMITED,
        layout.STATE_CHANGED,
    )
    return order.index(event.event) if event.event in order else len(order)


def _label(axis: Any, event: Event, scale: int) -> None:
    axis.annotate(
        short(event),
        xy=(event.t_ms / scale, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        rotation=38,
        rotation_mode="anchor",
        va="bottom",
        ha="left",
        fontsize=7.5,
        color=colour_of(event),
        annotation_clip=False,
    )


def short(event: Event) -> str:
    """Return the words that mark `event` in a plot."""
    text = event.describe()
    return text.removeprefix("state ").replace("_", " ").lower() if text.startswith("state ") else text


def _title(session: Session) -> str:
    facts = summary(session)
    prescribed = facts["dose_prescribed_ma_min"]
    dose = delivered(facts)
    dose += f" of {prescribed:g} mA*min" if prescribed is not None else " mA*min"
    proof = "log verified" if session.verified else "LOG DAMAGED OR INCOMPLETE"
    proof += "".join(f", {flaw.upper()}" for flaw in session.flaws if flaw in (NO_END_FLAW, NO_SAMPLES))
    return printable(f"{facts['name'] or 'session'}: {session.outcome}, {dose}, {proof}").replace("$", r"\$")
