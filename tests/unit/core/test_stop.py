"""STOP held for 20 ms ends a session in every state within 20 ms, whatever a host asks for, and slow as it may read."""

from __future__ import annotations

import struct

import pytest
from plant import Device, device, dose_fields

from ionto import dose, protocol

STOP_US = 20_000
SLOW_US = 640_000  # 2 kB, for a host that takes 64 bytes every 20 ms
LOG_BYTES = 4_000
STATES = (
    protocol.SELF_TESTING,
    protocol.ARMED,
    protocol.RAMP_UP,
    protocol.HOLD,
    protocol.RAMP_DOWN,
    protocol.REVERSING,
    protocol.PAUSED,
)


def session_in(board: Device, state: int) -> None:
    """Bring `board` into `state`; the logs of 60 earlier sessions lie on its flash, and its host reads slowly."""
    for log_id in range(1, 61):
        board.flash.files[f"/logs/{log_id:06d}.ilog"] = bytes(LOG_BYTES)
    board.hal.bench_strap = True
    board.run(2)
    board.start(dose_uc=24_000, reversal="half")
    board.flash.write_us = 100_000 if state != protocol.ARMED else 0  # its own record, written without current
    board.flash.on_stat = lambda: board.hal.spend(1_000)
    board.port.on_bulk = lambda: board.hal.spend(SLOW_US)
    if state == protocol.PAUSED:
        board.until(protocol.HOLD)
        board.code(protocol.PAUSE)
    board.until(state)


def everything(board: Device) -> list[tuple[int, bytes, int]]:
    """Return the requests (type, payload, sequence) that keep a device busy, six LOG_READs first."""
    read = struct.pack("<III", 1, 0, LOG_BYTES)
    asked = [(protocol.LOG_READ, read)] * 6
    asked += [
        (protocol.LOG_LIST, struct.pack("<I", 0)),
        (protocol.LOG_DELETE, struct.pack("<I", 2)),
        (protocol.LOG_VERIFIED, struct.pack("<I", 3) + bytes(32)),
        (protocol.HEALTH, b""),
        (protocol.DOSE_PUSH, dose.canonical(dose_fields(board.build))),
        (protocol.SET_LIMITS, b'{"max_current_ua":3000}'),
    ]
    return [(kind, payload, sequence + 1) for sequence, (kind, payload) in enumerate(asked)]


@pytest.mark.hazard("HAZ-17", "HAZ-28")
@pytest.mark.parametrize("after_ms", [0, 3, 9])
@pytest.mark.parametrize("state", STATES)
def test_stop_of_20_ms_ends_every_state_whatever_the_host_does(state: int, after_ms: int) -> None:
    """Against a host that queues reads of a log and takes them slowly: in a session nothing waits for it."""
    with device() as board:
        session_in(board, state)
        for request in everything(board):
            board.send(*request)
        board.run(after_ms)
        pressed_us = board.plant.now_us
        board.hal.stop_open = True
        while board.plant.now_us - pressed_us < STOP_US and board.state not in (protocol.DONE, protocol.FAULT):
            board.run(1)
        assert board.plant.now_us - pressed_us <= STOP_US
        assert (board.state, board.app.session.outcome) == (protocol.DONE, protocol.STOPPED)
        board.hal.stop_open = False
        board.port.on_bulk = lambda: None
        before_uc = board.plant.charge_uc
        board.run(3_000)
        assert board.state == protocol.DONE
        assert board.plant.charge_uc - before_uc < 250


@pytest.mark.hazard("HAZ-14", "HAZ-28")
def test_the_watchdog_is_fed_by_the_loop_alone() -> None:
    """A long answer to a slow host is sent in parts; between two of them the loop has its turn, and its evidence."""
    with device() as board:
        board.flash.files["/logs/000001.ilog"] = bytes(60_000)
        board.port.on_bulk = lambda: board.hal.spend(SLOW_US)
        board.send(protocol.LOG_READ, struct.pack("<III", 1, 0, 60_000))
        longest_us = 0
        for _ in range(200):
            before_us = board.plant.now_us
            board.run(1)
            longest_us = max(longest_us, board.plant.now_us - before_us)
        assert longest_us <= 2 * SLOW_US + 10_000
        assert board.port.bulk >= 30, "all of it came"
