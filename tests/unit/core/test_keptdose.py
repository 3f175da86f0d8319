"""The dose kept on flash: counted down before any current, checked at boot, never used when damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_flash import Flash
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import Board, a_dose, device

from ionto import dose, faults, keptdose, limits, protocol

PATH = "/dose.json"
A = limits.variant_a()


def restored(content: bytes, variant: str = "A") -> dict[str, Any]:
    """Return status and HELLO of a device that boots with `content` as its kept dose."""
    flash = Flash()
    flash.files[PATH] = content
    with device(variant, flash=flash) as board:
        told = json.loads(board.ask(protocol.HELLO, b"\x02")[1])
        return {**board.status(), **told, "dose": board.app.session.dose, "code": board.code(protocol.START)}


def kept_file(**changes: Any) -> bytes:
    """Return the file that a device keeps after the short dose with `changes` was pushed."""
    with device() as board:
        assert board.push(**changes) == 0
        return board.flash.files[PATH]


@pytest.mark.hazard("HAZ-25")
def test_the_file_holds_dose_digest_starts_and_crc() -> None:
    """A golden file: a later firmware has to read it, or refuse it."""
    content = json.loads(kept_file())
    raw = a_dose(A).raw
    assert (content["dose"], content["digest"]) == (raw.decode(), a_dose(A).digest())
    assert content["starts_left"] == 3
    assert content["crc32"] == 1_290_110_218
    assert sorted(content) == ["crc32", "digest", "dose", "starts_left"]


def test_a_board_knows_whether_there_is_a_dose_to_look_at() -> None:
    """What reads it takes heap, and is not loaded where there is none."""
    flash = Flash()
    with device(flash=flash) as board:
        assert not board.app.kept.there()
        assert board.push() == 0
        assert board.app.kept.there()


@pytest.mark.hazard("HAZ-20")
def test_a_session_without_a_computer_after_power_on() -> None:
    """Push, power off, power on: START for 2 s is enough, as often as the dose says."""
    flash = Flash()
    with device(flash=flash) as board:
        board.push(starts=2)
    for left in (1, 0):
        with device(flash=flash, board=Board()) as board:
            assert board.app.kept.state == keptdose.KEPT
            board.hal.start_pressed = True
            board.run(2_100)
            board.hal.start_pressed = False
            board.until(protocol.SELF_TESTING, most=50)
            assert board.app.kept.starts_left == left
            assert json.loads(flash.files[PATH])["starts_left"] == left
            board.finish()
            assert board.app.session.outcome == protocol.COMPLETE
    with device(flash=flash, board=Board()) as board:
        board.hal.bench_strap = True
        board.run(8)
        assert board.code(protocol.START) == faults.NO_STARTS_LEFT
        assert board.status()["starts_left"] == 0
        assert board.push() == 0
        assert board.code(protocol.START) == 0


@pytest.mark.hazard("HAZ-20")
def test_a_start_is_counted_before_the_arm_record_and_the_first_current() -> None:
    """Against more sessions than prescribed. A power cut at any later moment finds the start counted."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(8)
        board.push()
        board.hal.calls.clear()
        assert board.code(protocol.START) == 0
        writes = [call for call in board.hal.calls if call.startswith("write")]
        assert writes.index("write /logs/000001.ilog") > max(at for at, call in enumerate(writes) if PATH in call)
        assert json.loads(board.flash.files[PATH])["starts_left"] == 2
        assert board.plant.charge_uc == 0


@pytest.mark.hazard("HAZ-20")
def test_flash_that_refuses_the_count_refuses_the_start() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.push()

        def fail(operation: str) -> None:
            raise OSError(5)

        board.flash.fail = fail
        assert board.code(protocol.START) == faults.FLASH_FAILED
        assert (board.state, board.app.kept.starts_left) == (protocol.IDLE, 3)
        assert board.push(dose_uc=9_000) == faults.FLASH_FAILED
        kept = board.app.session.dose
        assert kept is not None
        assert kept.dose_uc == 6_000, "the dose in use is the one on flash"


@pytest.mark.hazard("HAZ-20")
def test_a_self_test_alone_uses_no_start() -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(8)
        board.push()
        board.ask(protocol.SELF_TEST)
        assert board.status()["starts_left"] == 3


@pytest.mark.hazard("HAZ-25")
def test_no_dose_is_no_damage() -> None:
    with device() as board:
        assert board.app.kept.state == keptdose.NOTHING
        assert not board.status()["flags"] & protocol.FLAG_DOSE_DAMAGED
        assert board.code(protocol.START) == faults.NO_DOSE


@pytest.mark.hazard("HAZ-25")
@settings(max_examples=40)
@given(st.data())
def test_any_damaged_byte_drops_the_dose(data: st.DataObject) -> None:
    """Against a damaged dose used. It is dropped, said in HELLO and status, and START is refused."""
    content = bytearray(GOOD)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        same = json.loads(content) == json.loads(GOOD)
    except ValueError:
        same = False
    if not same:
        assert_dropped(restored(bytes(content)))


GOOD = kept_file()
MORE_STARTS = json.dumps(json.loads(GOOD) | {"starts_left": 4}).encode()


@pytest.mark.hazard("HAZ-25")
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"7", b'"dose"', b"\xff\xfe", GOOD[:-1], GOOD * 2, MORE_STARTS]
)
def test_what_is_no_kept_dose_is_dropped(content: bytes) -> None:
    assert_dropped(restored(content))


def assert_dropped(found: dict[str, Any]) -> None:
    """The dose is not used, and that is said."""
    assert (found["dose"], found["code"], found["starts_left"]) == (None, faults.NO_DOSE, 0)
    assert found["kept_dose"] == keptdose.DAMAGED
    assert found["flags"] & protocol.FLAG_DOSE_DAMAGED
    assert not found["flags"] & protocol.FLAG_DOSE_LOADED


@pytest.mark.hazard("HAZ-01", "HAZ-11", "HAZ-25")
def test_a_dose_outside_the_limits_of_this_board_is_dropped() -> None:
    """Against dose of another build used. The limits judge again at boot."""
    found = restored(GOOD, "B")
    assert (found["dose"], found["kept_dose"]) == (None, keptdose.REFUSED)
    assert found["flags"] & protocol.FLAG_DOSE_DAMAGED


@pytest.mark.hazard("HAZ-25")
def test_a_push_mends_what_was_damaged() -> None:
    flash = Flash()
    flash.files[PATH] = b"rubbish"
    with device(flash=flash) as board:
        assert board.push() == 0
        assert not board.status()["flags"] & protocol.FLAG_DOSE_DAMAGED
        assert flash.files[PATH] == GOOD


@pytest.mark.hazard("HAZ-25")
@pytest.mark.parametrize("state", [protocol.HOLD, protocol.PAUSED])
def test_no_push_while_a_session_is_under_way(state: int) -> None:
    """Against a dose changed in a session; flash written with the output on."""
    with device() as board:
        board.hold(dose_uc=20_000)
        if state == protocol.PAUSED:
            assert board.code(protocol.PAUSE) == 0
            board.until(protocol.PAUSED)
        before = board.flash.files[PATH]
        assert board.push(dose_uc=9_000) in (faults.OUTPUT_ON, faults.WRONG_STATE)
        assert board.flash.files[PATH] == before


@pytest.mark.hazard("HAZ-25")
def test_digest_of_the_file_is_the_digest_of_the_dose() -> None:
    content = json.loads(GOOD)
    parsed = dose.parse(content["dose"].encode(), A)
    assert parsed.digest() == content["digest"]
