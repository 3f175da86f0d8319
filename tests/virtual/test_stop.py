"""STOP held for 20 ms ends every state of a session, whatever the host does; the independent meter is the judge.

One board a host; in it a session for every state and phase. A host that floods sends requests that make work, and reads
every answer; one that reads nothing sends the same and leaves the answers lying.
"""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest
from workbench import CEILING_S

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.logs import sessionfile
from ionto_host.patience import patient
from ionto_host.transport.frames import encode
from ionto_sim.errors import SimCommandError

STOP_MS = 20
SETTLE_US = 3_000_000  # after STOP: longer than any ramp, relay or pause
TEST_US, RELAY_US, RAMP_US = 950_000, 400_000, 1_000_000  # self-test, wait for the relay, a ramp of the dose
LEFT_UC = 60.0  # flows after STOP at most: one look at it, and the set-point's filter
FULL_UA = 2_000
REST = ("IDLE", "DONE", "FAULT", "MAINTENANCE")

_names = count()


class Host:
    """A computer on the port: `say` sends a request, and `busy` all those that make work."""

    def __init__(self, port: str, reads: bool):
        self._fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.reads = reads
        self._sequence = 0

    def close(self) -> None:
        """Leave the port, everything read."""
        self.drain()
        os.close(self._fd)

    def say(self, kind: int, payload: bytes = b"") -> None:
        """Send a request."""
        self._sequence = (self._sequence + 1) & 0xFF
        os.write(self._fd, encode(kind, self._sequence, payload))

    def busy(self) -> None:
        """Send what keeps a device busy; read what came if this host reads."""
        self.say(protocol.LOG_LIST, struct.pack("<I", 0))
        for _ in range(3):
            self.say(protocol.LOG_READ, struct.pack("<III", 1, 0, 60_000))
            self.say(protocol.STATUS)
        self.say(protocol.HEALTH)
        if self.reads:
            self.drain()

    def drain(self) -> None:
        """Read until nothing more comes."""
        while select.select([self._fd], [], [], patient(0.1))[0]:
            os.read(self._fd, 65_536)


@contextmanager
def host(bench, reads: bool) -> Iterator[Host]:
    """Yield a host on the port of `bench`."""
    made = Host(bench.pico.port, reads)
    try:
        yield made
    finally:
        made.close()


def press(mark: str) -> dict:
    """Return the command that holds STOP for 20 ms."""
    return {"cmd": "press", "button": "stop", "ms": STOP_MS, "mark": mark}


def later(us: int, command: dict) -> dict:
    """Return the command that does `command` after `us`."""
    return {"cmd": "at", "after_us": us, "do": command}


BOOST_ON = {"pin": ["BOOST_ENABLE", 1]}
RELAY_ON, RELAY_OFF = ({"pin": ["POLARITY_RELAY", level]} for level in (1, 0))
FULL = {"current_above_ua": 0.98 * FULL_UA, "for_us": 50_000}
GONE = {"current_below_ua": 5, "for_us": 20_000}
# How a session comes into a state: what happens, one after another, from START on; first and last STOP after that, us.
WAYS = {
    "SELF_TEST": ([BOOST_ON], 0, TEST_US),
    "ARMED": ([BOOST_ON, RELAY_ON, RELAY_OFF, RELAY_ON], 0, RELAY_US - 40_000),  # the second time for the dose's pole
    "RAMP_UP": ([BOOST_ON, {"current_above_ua": 100}], 0, RAMP_US - 150_000),
    "HOLD": ([FULL], 0, 200_000),
    "RAMP_DOWN": ([FULL, {"current_below_ua": 0.95 * FULL_UA}], 0, RAMP_US - 200_000),
    "REVERSING": ([FULL, GONE], 60_000, 400_000),
    "PAUSED": ([FULL, GONE], 60_000, 500_000),
}
PHASES = (0.0, 0.37, 0.71, 1.0)


def test_every_state_has_a_way_to_it() -> None:
    assert set(WAYS) | set(REST) == set(protocol.STATES)


def ended_in(bench) -> tuple[str, str]:
    """Return how the last session ended and in which state, by its log."""
    with bench.device() as device:
        device.log_written()
        assert device.status().state_name == "DONE"
        log = sessionfile.decode(device.read_log(device.list_logs()[-1]))
    changes = [event for event in log.events if event.event == layout.STATE_CHANGED]
    return log.outcome, protocol.STATES[changes[-1].value_a]


def stopped(bench, act: Callable[[Host], None], way: list, after_us: int, reads: bool) -> str:
    """Start a session, come along `way`, hold STOP `after_us` later; judge by the meter. Return the state it ended."""
    mark = f"stop {next(_names)}"
    end_of_test = later(SETTLE_US, {"cmd": "mark", "name": mark + " end"})
    command = later(after_us, {"cmd": "all", "do": [press(mark), end_of_test]})
    for condition in reversed(way):
        command = {"cmd": "at", "when": condition, "do": command}
    with host(bench, reads) as computer:
        bench.pico.at(command, after_us=0)
        computer.say(protocol.START)
        act(computer)
        for _ in range(3):
            computer.busy()
        end = time.monotonic() + patient(CEILING_S)
        while not marked(bench, mark + " end"):
            assert time.monotonic() < end, "the state was not reached"
            time.sleep(0.005)
    reading = bench.pico.since(mark)
    assert reading.t_below_us is None or reading.t_below_us <= STOP_MS * 1_000
    assert reading.now_ua < 1
    assert reading.charge_uc < LEFT_UC
    outcome, state = ended_in(bench)
    assert outcome == "stopped"
    return state


def marked(bench, name: str) -> bool:
    """Return True when the mark `name` is set."""
    try:
        return bool(bench.pico.since(name))
    except SimCommandError:
        return False


@pytest.mark.hazard("HAZ-17", "HAZ-28")
@pytest.mark.parametrize("reads", [True, False], ids=["floods", "reads_nothing"])
@pytest.mark.parametrize("state", WAYS)
def test_stop_of_20_ms_ends_every_state(bench, state: str, reads: bool) -> None:
    """Against a STOP that is missed: by work on flash, by a long answer, by a host that does not read."""
    way, first_us, last_us = WAYS[state]
    tables = ["[reversal]", 'kind = "half"'] if state == "REVERSING" else []
    shape = {"polarity": "-", "ramp_s": RAMP_US / 1e6, "starts": len(PHASES), "tables": tables}
    bench.push(current_ma=FULL_UA / 1_000, dose_ma_min=0.2, **shape)
    for phase in PHASES:
        after_us = first_us + int((last_us - first_us) * phase)
        act = pause if state == "PAUSED" else wait_for_nothing
        assert stopped(bench, partial(act, bench), way, after_us, reads) == state


def pause(bench, computer: Host) -> None:
    """Ask for a pause when the full current flows."""
    bench.wait(**FULL)
    computer.say(protocol.PAUSE)


def wait_for_nothing(bench, computer: Host) -> None:
    """The session comes into its state by itself."""
