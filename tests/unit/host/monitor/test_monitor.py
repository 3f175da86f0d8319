"""What the monitor shows and remembers: events, the course of the current, gaps, the view and the figure."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from fake_device import FakeDevice, on_pty
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from rich.console import Console

from ionto import faults, protocol
from ionto_host import cli
from ionto_host.cli.monitor_view import render
from ionto_host.device.answers import Status
from ionto_host.errors import MissingPartError, MonitorTimeoutError, NoDeviceError
from ionto_host.monitor import watching as monitor
from ionto_host.monitor.history import History, changes, cut_short
from ionto_host.monitor.plot import LivePlot, SessionFigure
from ionto_host.monitor.watching import Gap

REST = {name: 0 for name, _ in protocol.STATUS_FIELDS}


def status(state: int, t_s: float, **values: int) -> Status:
    """Return a status at `t_s` of a dose of 1 mA*min."""
    return Status(**{**REST, "state": state, "elapsed_ms": round(t_s * 1000), "dose_uc": 60_000, **values})


def a_session() -> History:
    """Return a session with poor contact, a gap and a fault at its end."""
    history, on = History(), protocol.FLAG_OUTPUT_ON
    history.add(status(protocol.SELF_TESTING, 0))
    for t_s in range(1, 60):
        limited = protocol.FLAG_CONTACT_LIMITED if 20 < t_s < 30 else 0
        current = 1_000 * min(t_s, 10) // 10 // (2 if limited else 1)
        state = protocol.RAMP_UP if t_s < 10 else protocol.HOLD
        more = {"current_ua": current, "setpoint_ua": 1_000, "charge_uc": 1_000 * t_s, "load_mv": 4 * current}
        history.add(Gap("the port is gone") if 40 < t_s < 45 else status(state, t_s, flags=on | limited, **more))
    history.add(status(protocol.FAULT, 60, fault=faults.OPEN_CIRCUIT, charge_uc=59_000))
    return history


def test_what_happened_is_told_once_with_its_time() -> None:
    events = [(round(at_s), text.partition(":")[0]) for at_s, text in a_session().events]
    assert events == [
        (0, "SELF_TEST"),
        (1, "RAMP_UP, 1.00 mA"),
        (10, "HOLD, 1.00 mA"),
        (21, "poor contact"),
        (30, "the contact is good again"),
        (40, "not seen"),
        (45, "seen again"),
        (60, "FAULT"),
        (60, "fault OPEN_CIRCUIT"),
    ]


@pytest.mark.hazard("HAZ-33")
def test_current_with_the_output_off_is_an_event() -> None:
    assert "CURRENT STILL FLOWS" in changes(None, status(protocol.DONE, 1, current_ua=900))[-1]


@given(st.lists(st.integers(0, 32_767), min_size=1, max_size=300), st.integers(1, 80))
def test_the_course_fits_its_width_and_its_range(currents: list[int], width: int) -> None:
    history = History()
    for at, current_ua in enumerate(currents):
        history.add(status(protocol.HOLD, at, current_ua=current_ua, setpoint_ua=1_000))
    drawn = history.spark(width, ascii_only=True)
    assert len(drawn) == min(width, len(currents)) and set(drawn) <= set("_.-=+*%#")
    if max(currents) > 1_000 and len(currents) <= width:
        assert drawn[currents.index(max(currents))] == "#"


def shown(history: History, **options: Any) -> str:
    """Return the view as text."""
    text = io.StringIO()
    Console(file=text, width=100, force_terminal=False, **options).print(render(history, "IontoPico"))
    return text.getvalue()


def test_the_view_has_everything_a_person_looks_for() -> None:
    history = a_session()
    text = shown(history)
    for words in ("FAULT", "OPEN_CIRCUIT", "0.983 of 1 mA*min", "98%", "1:00 gone", "seen again", "Re-attach"):
        assert words in text, words
    history.add(Gap("the port is gone"))
    assert "NOT SEEN: the port is gone" in shown(history)
    assert "waiting for the device" in shown(History())


def test_the_figure_has_the_points_and_the_gap(tmp_path: Path) -> None:
    history, figure = a_session(), Figure(figsize=(9, 6), layout="constrained")
    SessionFigure(figure).update(history)
    current, voltage = figure.axes
    assert len(current.lines[1].get_xdata()) == len(history.points) > 50
    assert "FAULT" in current.get_title() and voltage.get_ylim()[1] >= 4
    figure.savefig(tmp_path / "session.png")


def test_without_a_window_the_plot_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    matplotlib.use("Agg")
    with pytest.raises(MissingPartError, match="no window"):
        LivePlot()


def test_the_first_contact_has_to_succeed_unless_waited_for() -> None:
    with pytest.raises(NoDeviceError):
        next(monitor.watch("/dev/no-such-port"))
    looks = monitor.watch("/dev/no-such-port", wait=True, timeout_s=0.2)
    assert isinstance(next(looks), Gap)
    with pytest.raises(MonitorTimeoutError, match="not seen again"):
        list(looks)


def test_without_a_terminal_events_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeDevice()
    fake.state, fake.flags = protocol.HOLD, protocol.FLAG_OUTPUT_ON
    with on_pty(fake) as port:
        assert cli.main(["monitor", "--interval", "0.05", "--port", port]) == 0
    out, err = capsys.readouterr()
    assert "  0:00  HOLD" in err and "DONE" in err and "complete" in out


@pytest.mark.hazard("HAZ-24")
@pytest.mark.parametrize("end", [protocol.IDLE, protocol.FAULT])
def test_a_session_that_a_reset_cut_short_is_no_session_that_never_ran(end: int) -> None:
    """Against "No session has run" (F15): the device knows of no end, the monitor has seen it run."""
    history, on = History(), protocol.FLAG_OUTPUT_ON
    seen = {"flags": on, "charge_uc": 30_000, "session_id": 3}
    history.add(status(protocol.HOLD, 31, **seen))
    history.add(Gap("the port is gone"))
    assert history.cut is None
    happened = history.add(status(end, 0, fault=faults.UNPLANNED_RESET if end == protocol.FAULT else 0))
    assert history.cut is not None and history.cut.charge_uc == 30_000
    assert "session 3 was cut short by a reset or a loss of power; last seen at 0:31" in happened[1]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (status(protocol.SELF_TESTING, 0), status(protocol.IDLE, 0)),
        (status(protocol.HOLD, 1), status(protocol.DONE, 2, outcome=protocol.COMPLETE)),
        (status(protocol.HOLD, 1), status(protocol.PAUSED, 2)),
        (status(protocol.HOLD, 1), status(protocol.FAULT, 2, fault=faults.OPEN_CIRCUIT)),
    ],
)
def test_what_is_not_cut_short(before: Status, now: Status) -> None:
    """A self-test, an end, a pause and a fault are none."""
    assert not cut_short(before, now)


@pytest.mark.hazard("HAZ-24")
@pytest.mark.parametrize("wait", [False, True])
def test_the_monitor_ends_with_5_when_the_session_was_cut_short(
    fake: FakeDevice, wait: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it watches: also with --wait, which goes on for a session that has not begun only."""
    fake.state, fake.flags = protocol.HOLD, protocol.FLAG_OUTPUT_ON
    fake.charge_step_uc, fake.loses_power_at_uc = 5_000, 20_000
    with on_pty(fake) as port:
        assert cli.main(["monitor", "--interval", "0.05", "--port", port, *(["--wait"] if wait else [])]) == 5
    out, _ = capsys.readouterr()
    assert "Session 1 was cut short by a reset or a loss of power; last seen at" in out and "0.250 of 1 mA*min" in out
    assert "By the board, session 1 was cut short after an unknown charge" in out and "No session" not in out


@pytest.mark.hazard("HAZ-24")
def test_the_monitor_tells_of_a_session_cut_short_before_it_looked(
    fake: FakeDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until its log is pulled; then no session has run since, and that is all."""
    fake.cut_short = [[7, -1]]
    with on_pty(fake) as port:
        assert cli.main(["monitor", "--port", port]) == 5
        assert "session 7 was cut short" in capsys.readouterr().out
        assert cli.main(["monitor", "--json", "--port", port]) == 5
        assert "session 7 was cut short" in json.loads(capsys.readouterr().out.splitlines()[-1])["cut_short"][0]
        fake.cut_short = []
        assert cli.main(["monitor", "--port", port]) == 0
        assert "No session has run since" in capsys.readouterr().out
