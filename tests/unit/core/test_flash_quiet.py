"""No flash operation begins before the measured current is zero. The meter judges, in `plant.Device._written` too."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from plant import Device, device, dose_fields

from ionto import commands, dose, faults, protocol

PAGE = (Path(__file__).parents[3] / "docs/protocol.md").read_text(encoding="utf-8")
COMMANDS = {
    name: getattr(protocol, name) for name in re.findall(r"^\| [0-9A-F]{2} \| ([A-Z_]+) \|", PAGE, re.MULTILINE)
}
MOST_UA = 20.0


def payloads(board: Device) -> dict[int, bytes]:
    """Return a payload that each command that takes one accepts at rest."""
    log_id = struct.pack("<I", 1)
    return {
        protocol.HELLO: b"\x02",
        protocol.DOSE_PUSH: dose.canonical(dose_fields(board.build)),
        protocol.SET_CLOCK: struct.pack("<I", 1_800_000_000),
        protocol.SET_LIMITS: b'{"max_current_ua":3000}',
        protocol.CALIBRATION: b"{}",
        protocol.LOG_LIST: struct.pack("<I", 0),
        protocol.LOG_READ: struct.pack("<III", 1, 0, 1_000),
        protocol.LOG_DELETE: log_id,
        protocol.LOG_VERIFIED: log_id + chain_of(board),
        protocol.COMFORT: struct.pack(protocol.COMFORT_FORMAT, protocol.TINGLING, 0),
    }


def chain_of(board: Device) -> bytes:
    """Return the chain of log 1's last record."""
    return board.flash.files["/logs/000001.ilog"][-36:-4]


def handlers(board: Device) -> list[int]:
    """Return the types of request that the firmware answers, as its own table has them."""
    return sorted({*board.app.commands._handlers, *commands._BETWEEN_SESSIONS})


@pytest.fixture
def board() -> Iterator[Device]:
    """A device that delivers 4 mA, with the log of an earlier session, whose every flash operation the meter judges."""
    with device() as made:
        made.hold(dose_uc=6_000)
        made.finish()
        made.hold(current_ua=4_000, dose_uc=60_000)
        made.meter = []
        judge = made.flash.on_write

        def written(path: str) -> None:
            made.meter.append((path, made.plant.current_ua))
            judge(path)

        made.flash.on_write = written
        assert made.plant.current_ua > 3_900
        yield made


def test_the_table_of_commands_is_whole(board: Device) -> None:
    assert handlers(board) == sorted(set(COMMANDS.values()))


@pytest.mark.hazard("HAZ-14", "HAZ-12")
@pytest.mark.parametrize("kind", sorted(set(COMMANDS.values())))
def test_no_request_writes_before_the_current_is_zero(board: Device, kind: int) -> None:
    """Each request, right behind ABORT at 4 mA: what writes waits for the tail of the current, and is done then."""
    payload = payloads(board).get(kind, b"")
    board.send(protocol.ABORT, sequence=1)
    board.send(kind, payload, sequence=2)
    board.run(500)
    assert not board.app.session.output_on
    assert board.meter, "the session's own log, at least"
    assert [row for row in board.meter if row[1] > MOST_UA] == []


@pytest.mark.hazard("HAZ-14")
@pytest.mark.parametrize("kind", [protocol.LOG_DELETE, protocol.LOG_VERIFIED])
def test_a_request_that_writes_waits_for_the_tail_and_is_done(board: Device, kind: int) -> None:
    """A user who types `abort` and then `logs delete` is not told to wait: the device waits."""
    payload = payloads(board)[kind]
    assert board.code(protocol.ABORT) == 0
    assert board.plant.current_ua > 1_000
    assert board.code(kind, payload) == 0


@pytest.mark.hazard("HAZ-14", "HAZ-12")
def test_a_request_that_writes_is_refused_while_a_current_does_not_end(board: Device) -> None:
    """The cut-off does not cut: no request writes, and the refusal says why. The log is saved all the same."""
    payload = payloads(board)[protocol.LOG_DELETE]
    board.plant.forced_ua, board.plant.switch_shorted = 3_000.0, True
    board.until(protocol.FAULT)
    board.run(200)
    assert board.meter == [], "nothing is written while it may still end"
    assert board.code(protocol.LOG_DELETE, payload) == faults.CURRENT_REMAINS
    assert "/logs/000001.ilog" in board.flash.files
    board.run(400)
    assert board.log(2)[-1][0] == "end"
    board.plant.forced_ua, board.plant.switch_shorted = None, False
    board.run(300)
    assert board.code(protocol.LOG_DELETE, payload) == 0


@pytest.mark.hazard("HAZ-14", "HAZ-06")
@pytest.mark.parametrize("sensor", ["stale", "stuck"])
def test_a_log_is_written_whatever_a_dead_sensor_says(board: Device, sensor: str) -> None:
    board.plant.sensor = sensor
    board.until(protocol.FAULT)
    board.run(600)
    assert board.log(2)[-1][0] == "end"
    assert [row for row in board.meter if row[1] > MOST_UA] == []


@pytest.mark.hazard("HAZ-14", "HAZ-12")
def test_a_sensor_that_shows_too_little_does_not_let_flash_begin(board: Device) -> None:
    """The two measurements disagree: the greater one decides."""
    board.plant.shunt_factor = 0.0
    board.until(protocol.FAULT)
    board.run(600)
    assert board.log(2)[-1][0] == "end"
    assert [row for row in board.meter if row[1] > MOST_UA + 60] == []
