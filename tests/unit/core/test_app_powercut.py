"""Power cut and watchdog reset at every flash operation of the whole application, against a model.

The real `App` runs on the board of `plant`, its files on the real littlefs (`littleflash`). One life of a board is
recorded: a limit set, a calibration, a dose pushed, armed, delivered, its log written, read, verified and deleted. Then
the board is ended in each flash operation of it, with the scratch registers kept (watchdog) or lost (power), and boots.
IONTO_EVERY_CUT=1, which `make faults` sets, tears every operation in several places.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from fake_flash import installed, read_log
from hypothesis import given, settings
from hypothesis import strategies as st
from littleflash import BLOCK, PAGE, Chip, Disk
from littlefs.errors import LittleFSError
from plant import Board, Device, device

from ionto import bootmode, dose, faults, protocol, version
from ionto_host.errors import NotALogError
from ionto_host.logs import sessionfile

EVERY_CUT = bool(os.environ.get("IONTO_EVERY_CUT"))
TEARS = (1, 64, 128, 255) if EVERY_CUT else (128,)
LOWERED = {"max_current_ua": 3_000}
CORRECTED = {
    "gain_ppm": 0,
    "residual_before_ppm": 900,
    "residual_ppm": 100,
    "time_unix_s": protocol.CLOCK_FROM_S,
    "zero_ua": 0,
    "meter": "bench",
}
STALE_UC = 2_000 * 70 // 1_000  # charge of the time since word was last left in the scratch registers
REST_UC = 20  # of what flows after the cut


@dataclass(frozen=True)
class Known:
    """What somebody was told, or could see, and must find again: the model's state after an acknowledgement."""

    dose: bytes = b""
    starts_left: int = 0
    pulled: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    max_current_ua: int = 4_000
    calibrated: bool = False
    records: tuple[str, ...] = ()  # of the newest log
    over: bool = False  # its end record too


@dataclass
class Life:
    """A recorded stretch of a board's life. `known` pairs the operations done by then with what was acknowledged."""

    chip: Chip
    old_logs: dict[str, bytes]
    store: str
    known: list[tuple[int, Known]]
    scratch: list[list[int]] = field(default_factory=list)  # before each operation
    charge_uc: list[float] = field(default_factory=list)  # true, in the session, before each operation
    moments: list[tuple[int, list[int], float]] = field(default_factory=list)  # operations, scratch, true charge
    log_ids: tuple[int, ...] = ()

    def allowed(self, number: int) -> tuple[Known, list[Known]]:
        """Return what was acknowledged before operation `number`, and all that may be found after a cut in it."""
        done = [index for index, (count, _) in enumerate(self.known) if count < number]
        last = done[-1]
        return self.known[last][1], [state for _, state in self.known[last : last + 2]]


@contextmanager
def on_flash(chip: Chip, board: Board | None = None, first_random: int = 0) -> Iterator[Device]:
    """Yield a board with its files on `chip`, booted, the bench strap fitted."""
    disk = Disk(chip)
    disk.random = first_random
    with device(flash=disk, board=board, booted=False) as made:
        made.hal.bench_strap = True
        made.boot()
        made.run(3)
        yield made


@cache
def blank() -> bytes:
    """Return the flash of a board on which the firmware was just installed."""
    disk = Disk(Chip(), blank=True)
    disk.fs.remove("/logs")
    for path, data in installed().items():
        disk.fs.makedirs(os.path.dirname(path), exist_ok=True)
        with disk.open(path, "wb") as stream:
            stream.write(data)
    return bytes(disk.chip.buffer)


def hello(board: Device) -> dict[str, Any]:
    """Return the answer to HELLO."""
    return json.loads(board.ask(protocol.HELLO, bytes([version.PROTOCOL_VERSION]))[1])


def verify(board: Device, log_id: int, data: bytes) -> None:
    """Tell the board, as the host does, that there is a verified copy."""
    assert board.code(protocol.LOG_VERIFIED, struct.pack(protocol.LOG_VERIFIED_FORMAT, log_id, data[-36:-4])) == 0


def delete(board: Device, log_id: int) -> None:
    """Delete a log on the board."""
    assert board.code(protocol.LOG_DELETE, struct.pack(protocol.LOG_DELETE_FORMAT, log_id)) == 0


@cache
def life() -> Life:
    """Return the recorded life of a board that had two sessions before, the first of them pulled."""
    chip = Chip(blank())
    with on_flash(chip) as board:
        for dose_uc in (6_100, 6_200):
            board.start(name="older", dose_uc=dose_uc)
            board.finish()
        verify(board, 1, board.logs["/logs/000001.ilog"])
        older, store = dict(board.logs), hello(board)["store"]
        dose_kept = board.app.session.dose
        assert dose_kept is not None
        first = Known(dose_kept.raw, board.app.kept.starts_left, pulled=(1,))
    chip.begin()
    found = Life(chip, older, store, [(0, first)])
    with on_flash(chip) as board:
        _record(board, found)
    return found


def _record(board: Device, found: Life) -> None:
    chip, plant, state = found.chip, board.plant, dict(vars(found.known[0][1]))
    before_uc = plant.charge_uc

    def note() -> None:
        found.scratch.append(list(board.board.scratch))
        found.charge_uc.append(plant.charge_uc - before_uc)

    def told(**changes: Any) -> None:
        state.update(changes)
        found.known.append((len(chip.operations), Known(**state)))

    chip.on_operation = note
    assert board.code(protocol.SET_LIMITS, json.dumps(LOWERED).encode()) == 0
    told(**LOWERED)
    assert board.code(protocol.CALIBRATION, json.dumps(CORRECTED).encode()) == 0
    told(calibrated=True)
    assert board.push(name="newer") == 0
    told(dose=dose.canonical(dose_fields_of(board)), starts_left=3)
    assert board.code(protocol.START) == 0
    told(starts_left=2, records=("arm",))
    board.until(protocol.RAMP_UP)
    _deliver(board, found, before_uc)
    told(records=("arm", "test", "samples", "events"), over=True)
    verify(board, 3, board.logs["/logs/000003.ilog"])
    told(pulled=(1, 3))
    delete(board, 1)
    told(pulled=(3,), gone=(1,))
    delete(board, 3)
    told(pulled=(), gone=(1, 3))
    found.log_ids = (1, 2, 3)


def dose_fields_of(board: Device) -> dict[str, Any]:
    """Return the fields of the dose that the board holds."""
    assert board.app.session.dose is not None
    return json.loads(board.app.session.dose.raw)


def _deliver(board: Device, found: Life, before_uc: float) -> None:
    """Run to the end of the log, taking down every 200 ms what a reset then would leave."""
    for count in range(60_000):
        board.run(1)
        if count % 200 == 0:
            done = len(found.chip.operations)
            found.moments.append((done, list(board.board.scratch), board.plant.charge_uc - before_uc))
        if board.state == protocol.DONE and not board.app.keeper.log_open:
            return
    raise AssertionError("the session did not end")


def judge(content: bytes, number: int, scratch: list[int] | None, charge_uc: float, again: int = 0) -> None:
    """Boot on `content` after a cut in operation `number`, and compare with the model.

    `scratch`: the registers that a watchdog reset leaves; None after a loss of power. `again`: of the operations of
    that boot the one in which the power goes once more.
    """
    if again:
        chip = Chip(content)
        with on_flash(chip, _registers(scratch)):
            pass
        content = chip.cut(min(again, len(chip.operations)), 128) if chip.operations else content
    last = None if again else scratch
    with on_flash(Chip(content), _registers(last)) as board:
        _judge_rest(board, last is not None)
        _judge_kept(board, number)
        _judge_logs(board, number, scratch, charge_uc)


def _registers(scratch: list[int] | None) -> Board:
    board = Board()
    board.scratch = list(scratch or [0, 0, 0, 0])
    return board


def _judge_rest(board: Device, watchdog: bool) -> None:
    """The device is idle with its output off; a reset that nobody asked for is latched."""
    status = board.status()
    assert not status["flags"] & (protocol.FLAG_OUTPUT_ON | protocol.FLAG_LOG_OPEN)
    assert not board.hal.powered and board.plant.current_ua == 0 and not board.plant.closed
    if watchdog:
        assert (status["state"], status["fault"]) == (protocol.FAULT, faults.UNPLANNED_RESET)
    else:
        assert (status["state"], status["fault"]) == (protocol.IDLE, faults.NONE)


def _judge_kept(board: Device, number: int) -> None:
    """What was kept is what was acknowledged last, or what was being written: never anything else, never nothing."""
    _, allowed = life().allowed(number)
    told = hello(board)
    assert told["store"] == life().store and told["logs"] == "kept", "no false alarm"
    assert not told["settings"]["damaged"] and told["calibration"]["state"] in ("none", "kept")
    kind, raw = board.ask(protocol.DOSE_READ)
    assert kind == protocol.DOSE_READ | protocol.RESPONSE, "the dose is lost"
    assert (raw, told["starts_left"]) in [(state.dose, state.starts_left) for state in allowed]
    assert told["settings"]["max_current_ua"] in [state.max_current_ua for state in allowed]
    assert (told["calibration"]["state"] == "kept") in [state.calibrated for state in allowed]
    assert tuple(board.app.log.book.pulled) in [state.pulled for state in allowed]


def _judge_logs(board: Device, number: int, scratch: list[int] | None, charge_uc: float) -> None:
    sure, allowed = life().allowed(number)
    logs = {int(path[6:12]): data for path, data in board.logs.items()}
    for path, data in life().old_logs.items():
        log_id = int(path[6:12])
        if log_id not in allowed[-1].gone or log_id in logs:
            assert logs.pop(log_id) == data, "an older log was touched"
    assert not set(logs) & set(sure.gone) and set(logs) <= {3}
    assert board.app.log.last_id() >= max([2, *sure.gone, *logs]), "an id would come again"
    if sure.records and 3 not in allowed[-1].gone:
        assert 3 in logs, "an acknowledged record is gone"
    for data in logs.values():
        names = tuple(name for name, _ in read_log(data))
        assert names[: len(sure.records)] == sure.records or sure.over
        session = sessionfile.decode(data)
        assert session.verified, session.damage
        _judge_end(session, sure, scratch, charge_uc)


def _judge_end(session: sessionfile.Session, sure: Known, scratch: list[int] | None, charge_uc: float) -> None:
    """A session that was cut short says so, and how much is known to have flowed."""
    if session.outcome == "complete":
        assert session.charge_uc == pytest.approx(6_000, rel=0.01)
        return
    assert session.outcome == "interrupted" and not sure.over
    if not scratch or scratch[bootmode.SCRATCH_LOG_ID] != 3:
        assert "charge_uc" not in session.end, "nobody can know that"
    elif session.end["cause"] == bootmode.WATCHDOG:  # it is power_on when the boot after the reset was cut itself
        assert charge_uc * 0.99 - STALE_UC - REST_UC <= session.end["charge_uc"] <= charge_uc * 1.01 + REST_UC


@pytest.mark.hazard("HAZ-24", "HAZ-26", "HAZ-31", "HAZ-32")
@pytest.mark.parametrize("watchdog", [False, True])
def test_every_flash_operation_of_the_application(watchdog: bool) -> None:
    """Against a lost record, dose, limit or calibration: each operation in turn, from SET_LIMITS to the last delete."""
    whole = life()
    most = len(whole.chip.operations)
    assert most > 80 and [state for _, state in whole.known][-1].gone == (1, 3)
    for number in range(1, most + 1):
        for torn in TEARS:
            scratch = whole.scratch[number - 1] if watchdog else None
            judge(whole.chip.cut(number, torn), number, scratch, whole.charge_uc[number - 1])


@pytest.mark.hazard("HAZ-24", "HAZ-26", "HAZ-31")
@pytest.mark.parametrize("watchdog", [False, True])
def test_any_moment_of_a_session(watchdog: bool) -> None:
    """While current flows nothing is written: what a reset leaves then is the charge in the scratch registers."""
    flowing = [moment for moment in life().moments if moment[2] > 0]
    assert len(flowing) > 10
    for done, scratch, charge_uc in flowing:
        judge(life().chip.cut(done, PAGE), done + 1, scratch if watchdog else None, charge_uc)


@pytest.mark.hazard("HAZ-26", "HAZ-31", "HAZ-32")
@settings(max_examples=800 if EVERY_CUT else 60, deadline=None)
@given(st.integers(1, 10_000), st.integers(0, PAGE), st.booleans(), st.integers(0, 12))
def test_torn_anywhere_and_cut_again(number: int, torn: int, watchdog: bool, again: int) -> None:
    """Also when the boot that mends the first cut is cut itself."""
    whole = life()
    number = 1 + number % len(whole.chip.operations)
    scratch = whole.scratch[number - 1] if watchdog else None
    judge(whole.chip.cut(number, torn), number, scratch, whole.charge_uc[number - 1], again)


@pytest.mark.hazard("HAZ-26", "HAZ-31")
def test_every_flash_operation_of_the_first_boot() -> None:
    """A board that was just flashed, and its first dose: never damaged, only not there yet."""
    chip = Chip(blank())
    with on_flash(chip) as board:
        before = len(chip.operations)
        assert board.push() == 0
        raw = board.ask(protocol.DOSE_READ)[1]
    most = len(chip.operations)
    assert before >= 5 and most > before
    for number in range(1, most + 1):
        with on_flash(Chip(chip.cut(number))) as board:
            told = hello(board)
            assert told["logs"] in ("new", "kept") and len(told["store"]) == 8
            assert not told["settings"]["damaged"] and told["kept_dose"] in ("nothing", "kept")
            assert told["kept_dose"] == "nothing" or board.ask(protocol.DOSE_READ)[1] == raw
            _judge_rest(board, False)


@pytest.mark.hazard("HAZ-26", "HAZ-31")
@settings(max_examples=60 if EVERY_CUT else 4, deadline=None)
@given(st.integers(1, 10_000), st.booleans())
def test_the_next_session_after_a_cut(number: int, watchdog: bool) -> None:
    """Whatever was cut, the board takes a dose and delivers it, under an id that no log ever had."""
    whole = life()
    number = 1 + number % len(whole.chip.operations)
    registers = _registers(whole.scratch[number - 1] if watchdog else None)
    with on_flash(Chip(whole.chip.cut(number)), registers) as board:
        if watchdog:
            assert board.code(protocol.CLEAR_FAULT) == 0
        used = {int(path[6:12]) for path in board.logs} | set(whole.allowed(number)[0].gone) | {1, 2}
        board.start(name="after")
        board.finish()
        (new,) = {int(path[6:12]) for path in board.logs} - used
        assert new > max(used)
        assert sessionfile.decode(board.logs[f"/logs/{new:06d}.ilog"]).outcome == "complete"


@pytest.mark.hazard("HAZ-31", "HAZ-32")
@settings(max_examples=800 if EVERY_CUT else 80, deadline=None)
@given(st.integers(0, 1_000_000), st.integers(1, 64), st.integers(1, 255))
def test_damaged_flash_is_told(at: int, count: int, flip: int) -> None:
    """Bytes that rot: nothing that the board then hands out passes for what it was, and the output stays off.

    littlefs answers damage in its own tables with an older state of a folder. A log may come back from that without
    its end, and is closed as interrupted; or not at all, which nobody can tell who had not seen it.
    """
    whole = life()
    content = bytearray(whole.chip.began)
    used = [block for block in range(len(content) // BLOCK) if any(b != 0xFF for b in content[block * BLOCK :][:BLOCK])]
    start = used[at % len(used)] * BLOCK + at // len(used) % BLOCK
    for place in range(start, min(start + count, len(content))):
        content[place] ^= flip
    try:
        disk = Disk(Chip(bytes(content)))
        firmware = {path: disk.content(path) for path in installed()}
    except (LittleFSError, OSError):
        return  # MicroPython makes a new file system, or has no firmware to run: `ionto flash` is next
    if firmware != installed():
        return  # the manifest of the self-test finds that: test_selftest.py
    with on_flash(Chip(bytes(content)), first_random=9) as board:
        told = hello(board)
        assert not board.status()["flags"] & protocol.FLAG_OUTPUT_ON
        assert told["kept_dose"] in ("kept", "damaged", "refused", "nothing")
        assert told["store"] == whole.store or told["logs"] in ("new", "damaged"), (
            "another file system has another name"
        )
        for path, data in whole.old_logs.items():
            _judge_rotten(board, path, data)


@pytest.mark.hazard("HAZ-31", "HAZ-32")
def test_a_file_system_made_anew_is_told() -> None:
    """Against a board that was reformatted and passes for the one that had logs: another name, no dose."""
    with on_flash(Chip(life().chip.began)) as board:
        assert hello(board)["store"] == life().store
    with on_flash(Chip(blank()), first_random=9) as board:
        told = hello(board)
        assert told["logs"] == "new" and told["store"] != life().store and told["kept_dose"] == "nothing"


def _judge_rotten(board: Device, path: str, data: bytes) -> None:
    """A log that is there is the one that was, or does not verify, or says that its session was cut short."""
    try:
        found = board.flash.content(path)
        session = sessionfile.decode(found)
    except (OSError, NotALogError):
        return
    if found != data and session.verified:
        assert session.outcome == "interrupted" and session.end["closed_at_boot"]


def test_the_cuts_are_real() -> None:
    """The model would notice: states differ from each other, and a cut before an operation undoes what it did."""
    whole = life()
    states = [state for _, state in whole.known]
    assert len(set(states)) == len(states)
    counts = [count for count, _ in whole.known]
    assert counts == sorted(set(counts)), "every acknowledgement stands on operations of its own"
    for (before, _), (after, _) in zip(whole.known, whole.known[1:], strict=False):
        with pytest.raises(AssertionError):
            judge(whole.chip.cut(before, PAGE), after + 1, None, 0.0)
