"""A board whose clock is not set: set by whatever command speaks to it, said once, left where that is asked for."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from fake_device import BOARD_ID, STORE, FakeDevice, make_log
from shell import BENCH, Shell

from ionto import protocol
from ionto_host.device.answers import Hello, Status
from ionto_host.errors import UsageError
from ionto_host.logs import export as logexport
from ionto_host.logs import report, sessionfile
from ionto_host.logs import store as logstore
from ionto_host.logs.watched import Keeper

SPEAK = [
    "status",
    "info",
    "start",
    "selftest",
    "limits show",
    "logs list",
    "logs pull",
    f"dose push {BENCH}",
    "monitor",
]
WAS_NOT_SET = "the board's clock was not set; it is now"
BEGAN_S = 1_770_000_000


@pytest.mark.parametrize("command", SPEAK)
def test_whatever_speaks_to_the_board_sets_it_and_says_so_once(ionto: Shell, fake: FakeDevice, command: str) -> None:
    """F16: every session after a power-on was undated until somebody thought of the clock."""
    ionto(*command.split())
    assert abs(fake.clock - time.time()) < 60 and ionto.err.count(WAS_NOT_SET) == 1
    ionto(*command.split())
    assert WAS_NOT_SET not in ionto.err and fake.requests.count(protocol.SET_CLOCK) == 1


@pytest.mark.parametrize("command", SPEAK)
def test_it_is_left_where_that_is_asked_for(ionto: Shell, fake: FakeDevice, command: str) -> None:
    ionto(*command.split(), "--leave-clock")
    assert protocol.SET_CLOCK not in fake.requests and not fake.clock


def test_info_tells_of_the_clock_as_it_is_afterwards(ionto: Shell, fake: FakeDevice) -> None:
    """And with --json nothing but the answer is printed."""
    assert ionto.json("info")["clock_set"] is True and not ionto.err
    fake.clock = 0
    assert ionto.json("info", "--leave-clock")["clock_set"] is False


def test_set_by_hand_it_is_set_once(ionto: Shell, fake: FakeDevice) -> None:
    assert ionto("clock", "set") == 0 and "Clock set to" in ionto.out and not ionto.err
    assert fake.requests.count(protocol.SET_CLOCK) == 1


def test_while_current_flows_the_board_takes_none_and_that_is_said(ionto: Shell, fake: FakeDevice) -> None:
    """The command goes on."""
    fake.answers_hello_in_session = True
    fake.state, fake.flags = protocol.HOLD, protocol.FLAG_OUTPUT_ON
    assert ionto("status") == 0 and "HOLD" in ionto.out
    assert "it takes none now" in ionto.err and "Its log has no date" in ionto.err and not fake.clock


def watched(store: Path) -> None:
    """Let this computer have seen the session of log 1 from its second second on."""
    hello = Hello(8, "1", 3, BOARD_ID, "A", "1.28.0", 0, "power_on", store=STORE)
    rest = {name: 0 for name, _ in protocol.STATUS_FIELDS} | {"state": protocol.HOLD, "session_id": 1}
    now = iter((BEGAN_S + 2.0, BEGAN_S + 9.5))
    keeper = Keeper(lambda board_id: store / board_id, lambda: next(now))
    for t_ms in (2_000, 9_000):
        keeper.take(hello, Status(**{**rest, "elapsed_ms": t_ms}))


def test_a_session_without_a_date_is_dated_by_the_host_that_watched(
    ionto: Shell, fake: FakeDevice, store: Path
) -> None:
    """Marked as such wherever it is told; without a watcher it has no date, as before."""
    assert ionto("logs", "pull") == 0
    path = store / BOARD_ID / "000001.ilog"
    with pytest.raises(UsageError, match="clock"):
        logexport.write_influx(logstore.joined(sessionfile.read(path)), io.StringIO())
    assert ionto("logs", "show") == 0 and "unknown, the clock was not set" in ionto.out
    assert ionto("logs", "list") == 0 and "clock not set" in ionto.out
    watched(store)
    assert ionto("logs", "show") == 0
    assert "2026-02-02 02:40 UTC, dated afterwards by the clock of this computer" in ionto.out
    assert ionto("logs", "list") == 0 and "2026-02-02 02:40 by host" in ionto.out
    shown = ionto.json("logs", "show")
    assert (shown["started_unix_s"], shown["dated_by"]) == (BEGAN_S, "host") and "watched" not in shown
    session = logstore.joined(sessionfile.read(path))
    assert "dated afterwards by the host that watched" in report.page(session, path)
    out = io.StringIO()
    logexport.write_influx(session, out)
    assert f" {BEGAN_S * 10**9}\n" in out.getvalue() and 'dated_by="host"' in out.getvalue()


def test_the_clock_of_the_board_comes_first(store: Path) -> None:
    """A host's date is for a session without one."""
    watched(store)
    session = sessionfile.decode(make_log())
    session.header |= {"time_unix_s": BEGAN_S + 500, "clock_set": True}
    assert logstore.joined(session).dated == (BEGAN_S + 500, "board")
