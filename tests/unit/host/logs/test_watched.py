"""What a host saw of a session: kept as it comes, joined to a log that lacks a part, and never taken for the log."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_device import BOARD_ID, STORE, FakeDevice, make_log, on_pty
from hypothesis import given
from hypothesis import strategies as st
from shell import Shell

from ionto import faults, protocol
from ionto_host.device.answers import Hello, Status
from ionto_host.logs import export as logexport
from ionto_host.logs import knowledge, plot, report, sessionfile, watched
from ionto_host.logs import store as logstore
from ionto_host.logs.watched import Keeper

HELLO = Hello(7, "1.0", 3, BOARD_ID, "A", "1.28.0", 0, "power_on", store=STORE)
REST = {name: 0 for name, _ in protocol.STATUS_FIELDS}
NOTHING: dict[str, object] = {"outcome": protocol.INTERRUPTED, "cause": "power_on"}


def status(t_ms: int, state: int = protocol.HOLD, **values: int) -> Status:
    """Return the status of a session at `t_ms` of it, 1 mA since its beginning."""
    numbers = {"elapsed_ms": t_ms, "charge_uc": t_ms, "current_ua": 1_000, "setpoint_ua": 1_000, "session_id": 1}
    return Status(**{**REST, "state": state, "dose_uc": 60_000, **numbers, **values})


class Desk:
    """A keeper with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 1_770_000_000.0
        self.folder = folder
        self.keeper = Keeper(lambda board_id: folder / board_id, lambda: self.now_s)
        self.path = watched.path_of(folder / BOARD_ID, 1, STORE)

    def look(self, seen: Status, after_s: float = 0.25) -> None:
        """Let time pass, and look."""
        self.now_s += after_s
        self.keeper.take(HELLO, seen)


@pytest.mark.hazard("HAZ-24")
def test_at_every_moment_at_most_the_last_second_is_missing(tmp_path: Path) -> None:
    """Read from the disk after every look, as after a kill: no look is older than a second than what is there."""
    desk = Desk(tmp_path)
    for number in range(200):
        desk.look(status(number * 250))
        last = watched.read(desk.path).looks[-1]
        assert desk.now_s - last.unix_s < 1.0, number
    assert len(watched.read(desk.path).looks) == 50, "once a second is enough"


def test_a_change_is_kept_at_once(tmp_path: Path) -> None:
    """State, fault, flags; the end with its outcome, once; a gap, once; nothing at rest and of a self-test."""
    desk = Desk(tmp_path)
    desk.look(status(0, protocol.SELF_TESTING))
    desk.look(status(0, protocol.IDLE))
    assert not desk.path.exists()
    desk.look(status(100, protocol.RAMP_UP))
    desk.look(status(200, protocol.HOLD), 0.01)
    desk.look(status(210, protocol.HOLD, flags=protocol.FLAG_CONTACT_LIMITED), 0.01)
    for _ in range(3):
        desk.keeper.gap("the port is gone")
    for _ in range(3):
        desk.look(status(900, protocol.FAULT, outcome=protocol.FAULTED, fault=faults.OPEN_CIRCUIT))
    found = watched.read(desk.path)
    assert [look.elapsed_ms for look in found.looks] == [100, 200, 210, 900]
    assert found.gaps == 1


def test_the_end_is_kept_with_its_outcome(tmp_path: Path) -> None:
    """And no look after it; the next session has a file of its own."""
    desk = Desk(tmp_path)
    desk.look(status(100))
    for _ in range(3):
        desk.look(status(900, protocol.DONE, outcome=protocol.COMPLETE))
    desk.look(status(100, session_id=2))
    assert [look.outcome for look in watched.read(desk.path).looks] == [0, protocol.COMPLETE]
    assert len(watched.read(watched.path_of(tmp_path / BOARD_ID, 2, STORE)).looks) == 1


@given(st.integers(0, 400), st.binary(max_size=40))
def test_a_record_that_was_cut_anywhere_is_read_and_gone_on_with(keep: int, rubbish: bytes) -> None:
    """A kill in a write, a full disk: the whole lines count, and the next line stands by itself."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        for number in range(3):
            desk.look(status(number * 1_000), 1)
        data = desk.path.read_bytes()[: 200 + keep] + rubbish
        desk.path.write_bytes(data)
        before = watched.read(desk.path)
        assert all(look in watched.read(desk.path).looks for look in before.looks)
        desk.look(status(9_000), 1)
        after = watched.read(desk.path).looks
        assert len(after) == len(before.looks) + 1 and after[-1].elapsed_ms == 9_000


def test_two_that_watch_spoil_nothing(tmp_path: Path) -> None:
    """In order of time, whoever wrote it."""
    one, other = Desk(tmp_path), Desk(tmp_path)
    other.now_s += 0.5
    for number in range(4):
        one.look(status(number * 1_000), 1)
        other.look(status(number * 1_000 + 500), 1)
    assert [look.elapsed_ms for look in watched.read(one.path).looks] == [500 * index for index in range(8)]


def test_a_disk_that_refuses_ends_the_keeping_and_says_so(tmp_path: Path) -> None:
    """Not the watching."""
    (tmp_path / "file").write_text("")
    keeper = Keeper(lambda board_id: tmp_path / "file")
    keeper.take(HELLO, status(100))
    keeper.take(HELLO, status(200))
    assert "file" in keeper.trouble


@pytest.fixture
def cut(tmp_path: Path, store: Path) -> Path:
    """Return the log of a session that a power cut ended, and of which this computer saw half a minute."""
    desk = Desk(store)
    for number in range(31):
        desk.look(status(number * 1_000), 1)
    path = store / BOARD_ID / "000001.ilog"
    path.write_bytes(make_log(0, events=False, end=NOTHING))
    return path


@pytest.mark.hazard("HAZ-24")
def test_it_is_a_second_source_and_marked_on_every_page(ionto: Shell, cut: Path, tmp_path: Path) -> None:
    """Show, report, plot, export: what was seen, by whom; and what the log does not know is still not known."""
    assert ionto("logs", "show", "1") == 0
    assert "seen by the host, not in the log: 31 looks from 0:00 to 0:30" in ionto.out
    assert "0.500 mA*min had flowed by the board's count" in ionto.out
    assert (
        "unknown how much was delivered" in ionto.out and "How much flowed, and for how long, is not known" in ionto.out
    )
    shown = ionto.json("logs", "show", "1")
    assert shown["dose_delivered_ma_min"] is shown["current_max_ma"] is shown["duration_s"] is None
    assert "not in the board's log" in shown["watched"]["source"] and len(shown["watched"]["looks"]) == 31
    session = logstore.joined(sessionfile.read(cut))
    assert "seen by the host, not in the log" in report.page(session, cut)
    assert "seen by the host, not in the log" in plot.svg(session)
    assert not session.samples and session.charge_uc is None


def test_an_export_has_it_apart_from_what_was_measured(cut: Path) -> None:
    """CSV: as events, the columns of the board's measurements empty. JSON: under a name and a source of its own."""
    session = logstore.joined(sessionfile.read(cut))
    out = io.StringIO()
    logexport.write_csv(session, out)
    rows = [row for row in csv.DictReader(io.StringIO(out.getvalue())) if row["event"].startswith("seen by the host: ")]
    assert len(rows) == 31 and not any(row[name] for row in rows for name in row if name not in ("time_s", "event"))
    out = io.StringIO()
    logexport.write_json(session, out)
    body = json.loads(out.getvalue())
    assert body["samples"] == [] and body["watched"]["looks"][-1]["charge_uc"] == 30_000


def test_a_log_that_has_everything_needs_no_second_source(store: Path, cut: Path) -> None:
    """And one of another file system, board or id is not joined."""
    assert logstore.joined(sessionfile.decode(make_log())).watched is None
    for other in (make_log(0, log_id=2, end=NOTHING),):
        assert logstore.joined(sessionfile.decode(other)).watched is None
    session = sessionfile.read(cut)
    session.header["store"] = "ffffffff"
    assert logstore.joined(session).watched is None
    assert not any("seen" in line for line in knowledge.told(session))


@pytest.mark.hazard("HAZ-24")
def test_the_monitor_keeps_it_and_pull_joins_it(ionto: Shell, fake: FakeDevice) -> None:
    """From the first look to the log of the board, as a user types it."""
    fake.state, fake.flags = protocol.HOLD, protocol.FLAG_OUTPUT_ON
    fake.charge_step_uc, fake.loses_power_at_uc = 5_000, 20_000
    fake.answers_hello_in_session = True
    assert ionto("monitor", "--interval", "0.05") == 5
    fake.logs = {1: make_log(0, events=False, end=NOTHING)}
    assert ionto("logs", "pull") == 0
    assert "INTERRUPTED, NO SAMPLES" in ionto.out and "seen by the host, not in the log" in ionto.out
    assert ionto("logs", "show") == 0 and "seen by the host, not in the log" in ionto.out


@pytest.mark.hazard("HAZ-24")
def test_a_monitor_that_is_killed_has_kept_every_second(fake: FakeDevice, store: Path) -> None:
    """`kill -9` between two looks: every look that is a second after another is on the disk, but the one in flight."""
    fake.state, fake.flags, fake.charge_step_uc = protocol.HOLD, protocol.FLAG_OUTPUT_ON, 100
    fake.answers_hello_in_session = True
    path = watched.path_of(store / BOARD_ID, 1, STORE)
    with on_pty(fake) as port:
        command = [sys.executable, "-m", "ionto_host", "monitor", "--interval", "1.0", "--port", port]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as monitor:
            while monitor.poll() is None and fake.charge_uc < 400:
                time.sleep(0.01)
            monitor.send_signal(signal.SIGKILL)
    charges = [look.charge_uc for look in watched.read(path).looks]
    assert charges[:3] == [100, 200, 300] and len(charges) >= fake.charge_uc // 100 - 1


def test_a_status_is_of_a_session_or_not() -> None:
    """A self-test alone is none."""
    held = status(100)
    assert held.in_session and not replace(held, state=protocol.SELF_TESTING).in_session
    assert not replace(held, state=protocol.DONE).in_session
