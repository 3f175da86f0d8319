"""The answers to every command of the protocol."""

from __future__ import annotations

import hashlib
import json
import struct

import pytest
from app_words import COMMANDS, LONG, detail, flag_names
from fake_port import answers, request
from plant import OPEN_OHM, Board, device, dose_fields

from ionto import bootmode, dose, faults, protocol, version

LIVE = (protocol.HELLO, protocol.STATUS, protocol.PAUSE, protocol.ABORT, protocol.COMFORT)


@pytest.mark.hazard("HAZ-28", "HAZ-29")
def test_while_current_flows_only_five_commands_are_answered() -> None:
    """Against a host that disturbs a session. The others get OUTPUT_ON, without any detail, and change nothing."""
    with device() as board:
        board.hold(current_ua=2_000, dose_uc=100_000)
        for name, kind in COMMANDS.items():
            if kind in LIVE:
                continue
            payload = dose.canonical(dose_fields(board.build)) if name == "DOSE_PUSH" else b"\x01\x00\x00\x00"
            told = board.ask(kind, payload)
            assert told == (protocol.ERROR, struct.pack("<HBB", faults.OUTPUT_ON, kind, protocol.HOLD)), name
            assert board.state == protocol.HOLD
            assert board.app.session.dose.dose_uc == 100_000
        for kind in (protocol.HELLO, protocol.STATUS, protocol.COMFORT, protocol.PAUSE, protocol.ABORT):
            payload = b"\x01\x00\x00" if kind == protocol.COMFORT else b""
            assert board.ask(kind, payload)[0] == kind | protocol.RESPONSE


@pytest.mark.hazard("HAZ-28", "HAZ-29")
def test_every_unknown_command_is_answered_as_such() -> None:
    """Against a way in that nobody meant. All 236 of them, at rest."""
    with device() as board:
        for kind in sorted(set(range(256)) - set(COMMANDS.values())):
            told = (protocol.ERROR, struct.pack("<HBB", faults.UNKNOWN_COMMAND, kind, protocol.IDLE))
            assert board.ask(kind, b"import os") == told


@pytest.mark.hazard("HAZ-28")
@pytest.mark.parametrize("name", ["SET_CLOCK", "LOG_LIST", "LOG_READ", "LOG_DELETE", "LOG_VERIFIED", "COMFORT"])
@pytest.mark.parametrize("length", [0, 1, 2, 5, 11, 13, 100])
def test_a_payload_of_the_wrong_length_is_refused(name: str, length: int) -> None:
    with device() as board:
        assert board.code(COMMANDS[name], bytes(length)) == faults.BAD_PAYLOAD


@pytest.mark.hazard("HAZ-28")
def test_a_damaged_request_is_told() -> None:
    with device() as board:
        frame = bytearray(request(protocol.START, 9))
        frame[-1] ^= 0xFF
        board.port.to_device.extend(frame)
        board.run(10)
        assert answers(board.port.from_device) == [
            (protocol.ERROR, 9, struct.pack("<HBB", faults.BAD_FRAME, protocol.START, protocol.IDLE))
        ]


def test_hello_says_who_the_board_is() -> None:
    with device("B") as board:
        told = json.loads(board.ask(protocol.HELLO, b"\x01")[1])
        assert told["board_id"] == board.board.board_id()
        assert (told["variant"], told["protocol"], told["micropython"]) == ("B", version.PROTOCOL_VERSION, "1.29.0")
        assert told["reset_cause"] == bootmode.POWER_ON
        assert told["limits"] == board.build.public()
        assert len(json.dumps(told)) <= protocol.MAX_PAYLOAD_BYTES


def test_hello_while_current_flows() -> None:
    """A host that attaches in the middle of a session learns who the board is, as well as at rest."""
    with device() as board:
        board.hold(**LONG)
        told = json.loads(board.ask(protocol.HELLO, b"\x01")[1])
        assert told["board_id"] == board.board.board_id()
        assert told["limits"] == board.build.public()


@pytest.mark.hazard("HAZ-24", "HAZ-33")
def test_the_status_record_tells_the_truth() -> None:
    with device() as board:
        rest = board.status()
        assert (rest["state"], rest["outcome"], rest["fault"], rest["charge_uc"], rest["duty"]) == (0, 0, 0, 0, 0)
        assert rest["flags"] == 0
        assert rest["load_ohm"] == 1_000_000
        board.hold(**LONG)
        board.run(350)
        held = board.status()
        assert held["state"] == protocol.HOLD
        assert flag_names(held["flags"]) == {"output_on", "bench_strap", "dose_loaded", "log_open"}
        assert held["setpoint_ua"] == 2_000
        assert abs(held["current_ua"] - 2_000) <= 10 and abs(held["sense_ua"] - 2_000) <= 10
        assert abs(held["second_ua"] - 2_000) <= 10
        assert abs(held["second_charge_uc"] - held["charge_uc"]) <= 20
        assert abs(held["load_ohm"] - 2_000) <= 60
        assert abs(held["duty"] - 2_000 * 4_095 / 4_975) <= 10
        assert (held["rail_mv"], held["vsys_mv"], held["dose_uc"]) == (24_000, 3_900, 60_000)
        assert abs(held["charge_uc"] - board.plant.charge_uc) <= 130, "sending takes 50 ms"
        assert abs(held["remaining_ms"] - (60_000 - held["charge_uc"]) / 2 - 500) <= 10
        assert held["session_id"] == 1


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("vbus", True, protocol.FLAG_VBUS),
        ("bench_strap", True, protocol.FLAG_BENCH_STRAP),
        ("stop_open", True, protocol.FLAG_STOP_OPEN),
    ],
)
def test_switches_show_in_the_flags(name: str, value: bool, flag: int) -> None:
    with device() as board:
        setattr(board.hal, name, value)
        board.run(2)
        assert board.status()["flags"] == flag


@pytest.mark.hazard("HAZ-01", "HAZ-25")
def test_a_pushed_dose_is_read_back_and_a_refused_one_leaves_it() -> None:
    """Against a dose that is not what the person confirmed."""
    with device() as board:
        assert board.code(protocol.DOSE_READ) == faults.NO_DOSE
        raw = dose.canonical(dose_fields(board.build, dose_uc=7_777))
        told = json.loads(board.ask(protocol.DOSE_PUSH, raw)[1])
        assert told == {"digest": hashlib.sha256(raw).hexdigest()}
        answer, content = board.ask(
            protocol.DOSE_PUSH, dose.canonical(dose_fields(board.build, current_ua=4_001)), sequence=7
        )
        assert answer == protocol.ERROR
        assert struct.unpack_from("<HB", content) == (faults.OUT_OF_RANGE, protocol.DOSE_PUSH)
        assert detail(content) == {
            "code": faults.OUT_OF_RANGE,
            "field": "current_ua",
            "value": 4_001,
            "low": 100,
            "high": 4_000,
        }
        assert board.ask(protocol.DOSE_READ) == (protocol.DOSE_READ | protocol.RESPONSE, raw)


@pytest.mark.hazard("HAZ-28")
def test_the_longest_refusal_still_fits_a_frame() -> None:
    """Against overrun of the answer's buffer. The buffer is held, so growing it would raise BufferError."""
    with device() as board:
        held = memoryview(board.app.link.payload())
        raw = b'{"' + b"\\u00e9" * 127 + b'":1}'
        assert board.code(protocol.DOSE_PUSH, raw) == faults.UNKNOWN_FIELD
        big = dose.canonical(dose_fields(board.build)).replace(b'"dose_uc":6000', b'"dose_uc":' + b"9" * 350)
        assert board.code(protocol.DOSE_PUSH, big) == faults.OUT_OF_RANGE
        assert len(held) >= protocol.MAX_PAYLOAD_BYTES + protocol.OVERHEAD_BYTES


@pytest.mark.hazard("HAZ-17", "HAZ-19", "HAZ-20")
def test_start_without_dose_strap_or_closed_stop_is_refused() -> None:
    with device() as board:
        assert board.code(protocol.START) == faults.NO_DOSE
        board.push()
        board.hal.vbus = True
        board.run(2)
        assert board.code(protocol.START) == faults.USB_PRESENT
        board.hal.bench_strap = True
        board.hal.stop_open = True
        board.run(2)
        assert board.code(protocol.START) == faults.STOP_OPEN
        assert board.state == protocol.IDLE
        assert board.hal.calls.count("power_up") == 0


def test_the_clock_is_set() -> None:
    with device() as board:
        assert board.code(protocol.SET_CLOCK, struct.pack("<I", 1_800_000_000)) == 0
        assert board.board.clock_s == 1_800_000_000
        assert board.status()["flags"] & protocol.FLAG_CLOCK_SET


def test_a_clock_from_before_the_release_was_never_set() -> None:
    for clock_s, known in ((0, False), (1_600_000_000, False), (1_750_000_000, True)):
        scratch = Board()
        scratch.clock_s = clock_s
        with device(board=scratch) as board:
            assert bool(board.status()["flags"] & protocol.FLAG_CLOCK_SET) == known


@pytest.mark.hazard("HAZ-13")
def test_a_self_test_by_command_is_answered_when_it_is_over() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        answer, content = board.ask(protocol.SELF_TEST, sequence=5)
        assert answer == protocol.SELF_TEST | protocol.RESPONSE
        rows = json.loads(content)["results"]
        assert len(rows) == 28 and all(row[1] for row in rows)
        assert board.state == protocol.IDLE
        assert board.flash.logs == {}
        assert json.loads(board.ask(protocol.SELF_TEST, protocol.SELF_TEST_LAST)[1])["results"] == rows
        assert board.state == protocol.IDLE


@pytest.mark.hazard("HAZ-13")
def test_a_failed_self_test_is_answered_with_the_row_that_failed() -> None:
    with device() as board:
        board.plant.load_ohm = OPEN_OHM
        rows = json.loads(board.ask(protocol.SELF_TEST)[1])["results"]
        assert [row[1] for row in rows][-1] is False
        assert board.state == protocol.FAULT


@pytest.mark.parametrize("offset_ms", range(1_010, 1_030))
def test_the_self_test_answer_waits_for_the_one_before(offset_ms: int) -> None:
    """Against answers mixed up. A status on its way out is finished before the self-test's answer begins."""
    with device() as board:
        board.send(protocol.SELF_TEST, sequence=1)
        board.run(offset_ms)
        board.port.reading_host = False
        board.send(protocol.STATUS, sequence=2)
        board.run(20)
        board.port.reading_host = True
        board.run(900)
        kinds = sorted(kind for kind, _, _ in answers(board.port.from_device))
        assert kinds == [protocol.STATUS | protocol.RESPONSE, protocol.SELF_TEST | protocol.RESPONSE]
