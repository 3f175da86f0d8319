"""The parts of the firmware that are on the heap only while they are needed: when they come and go; damaged ones."""

from __future__ import annotations

import binascii
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from fake_flash import Flash
from fake_port import answers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plant import Device, device, press

import ionto
import ionto_pack
from ionto import faults, keeper, protocol, shelf
from ionto.faults import Refusal

DAMAGED = {name: f"/{name}.mpy" for name in shelf.PARTS}
CONTENT = bytes(range(256)) * 10
SOUND = CONTENT + struct.pack("<I", binascii.crc32(CONTENT))
on_one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def on_a_board(load: Callable[[str], None]) -> Iterator[None]:
    """Let the package be a merged one, whose parts `load` loads: into `sys.modules`, as an import does."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(ionto, "__file__", ionto_pack.PACK_PATH))
        stack.enter_context(patch.object(shelf, "load", load))
        stack.enter_context(patch.dict(sys.modules))
        yield


class Loader:
    """Loads every part but the `damaged` one; `loaded` has their names, with what `seen` returned."""

    def __init__(self, damaged: str = "") -> None:
        self.damaged = damaged
        self.loaded: list[tuple[str, object]] = []
        self.seen: Callable[[], object] = lambda: None

    def __call__(self, name: str) -> None:
        if name == self.damaged:
            raise ValueError("damaged")
        self.loaded.append((name, self.seen()))
        sys.modules[name] = ModuleType(name)


def there() -> list[str]:
    """Return the parts that are on the heap."""
    return [name for name in shelf.PARTS if name in sys.modules]


def quiet_board(loader: Loader, board: Device) -> Device:
    """Return `board` at rest, its quiet seen."""
    loader.seen = lambda: (board.app.session.running, board.app.session.output_on)
    board.run(300)
    return board


@pytest.mark.hazard("HAZ-14", "HAZ-30")
def test_a_session_has_no_part_on_the_heap_and_fetches_none() -> None:
    """Against a collection or an import with current: parts go before the current begins and come back at rest."""
    loader = Loader()
    with on_a_board(loader), device() as board:
        quiet_board(loader, board)
        board.hold()
        assert [name for name, _ in loader.loaded] == [shelf.REST, shelf.PROOF]
        assert there() == []
        for kind in (protocol.STATUS, protocol.HEALTH, protocol.PAUSE):
            board.send(kind)
            board.run(20)
        board.until(protocol.PAUSED)
        for kind in (protocol.HELLO, protocol.HEALTH, protocol.LOG_LIST, protocol.SET_CLOCK):
            board.send(kind)
            board.run(300)
        assert (len(loader.loaded), there()) == (2, [])
        board.send(protocol.ABORT)
        board.finish()
        board.send(protocol.HEALTH)
        board.run(50)
        assert [name for name, _ in loader.loaded] == [shelf.REST, shelf.PROOF, shelf.REST]
        assert {seen for _, seen in loader.loaded} == {(False, False)}


@pytest.mark.hazard("HAZ-14")
def test_the_last_collection_comes_after_the_self_test_with_the_output_off() -> None:
    """The code of the self-test is dropped and collected while the relay settles, in ARMED."""
    seen = []
    with device() as board:
        board.hal.bench_strap = True
        board.run(300)
        board.push()
        with patch.object(keeper.gc, "collect", lambda: seen.append((board.state, board.app.session.output_on))):
            assert board.code(protocol.START) == 0
            board.until(protocol.RAMP_UP)
            board.run(2_000)
        assert seen == [(protocol.IDLE, False), (protocol.ARMED, False)]
        assert board.app.selftest._prover is None


@pytest.mark.hazard("HAZ-30")
def test_a_start_without_its_part_is_refused_with_the_path() -> None:
    """Against a damaged file of the firmware. Nothing is switched on, no start is used, no log is begun."""
    loader = Loader(shelf.PROOF)
    with on_a_board(loader), device() as board:
        quiet_board(loader, board)
        board.push()
        board.hal.bench_strap = True
        board.send(protocol.START)
        board.run(400)
        kind, _, payload = answers(board.port.from_device)[-1]
        assert kind == protocol.ERROR
        assert payload[0] | payload[1] << 8 == faults.FILES_DAMAGED
        assert DAMAGED[shelf.PROOF].encode() in payload
        press(board, 2_100)
        board.run(500)
        assert (board.state, board.plant.peak_ua, board.app.kept.starts_left) == (protocol.IDLE, 0, 3)
        assert not board.logs


@pytest.mark.hazard("HAZ-30")
def test_requests_without_their_part_are_refused_with_the_path_and_the_others_answered() -> None:
    loader = Loader(shelf.REST)
    with on_a_board(loader), device() as board:
        quiet_board(loader, board)
        for kind in (protocol.HEALTH, protocol.DOSE_PUSH, protocol.HELLO, protocol.STATUS):
            board.send(kind)
            board.run(100)
        kinds = [
            (kind, DAMAGED[shelf.REST].encode() in payload) for kind, _, payload in answers(board.port.from_device)
        ]
        told = protocol.RESPONSE
        assert kinds == [
            (protocol.ERROR, True),
            (protocol.ERROR, True),
            (protocol.HELLO | told, False),
            (protocol.STATUS | told, False),
        ]


@pytest.mark.hazard("HAZ-30")
def test_a_kept_dose_is_not_taken_by_damaged_code() -> None:
    """A dose on flash, and the part that looks at it is damaged: told as a fault, and nothing is there to start."""
    flash = Flash()
    with device(flash=flash) as board:
        board.push()
    with on_a_board(Loader(shelf.REST)), device(flash=flash) as board:
        assert (board.state, board.app.session.fault) == (protocol.FAULT, faults.FILES_DAMAGED)
        assert board.app.session.dose is None


def test_nothing_is_taken_in_a_session_or_while_a_current_remains() -> None:
    with device() as board:
        with pytest.raises(Refusal) as caught:  # not yet looked at
            board.app.shelf.take(shelf.REST)
        assert caught.value.code == faults.CURRENT_REMAINS
        board.run(300)
        board.app.shelf.take(shelf.REST)
        board.hold()
        with pytest.raises(Refusal) as caught:
            board.app.shelf.take(shelf.REST)
        assert caught.value.code == faults.WRONG_STATE


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the file of the part `ionto_some` is."""
    monkeypatch.setattr(shelf, "path_of", lambda name: str(tmp_path / f"{name}.mpy"))
    monkeypatch.setattr(ionto_pack, "PART_PATH", [str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(ionto_pack.NARROW_PATH))
    yield tmp_path / "ionto_some.mpy"
    sys.modules.pop("ionto_some", None)


def test_a_sound_part_is_imported_and_found_at_no_other_time(part: Path) -> None:
    code = b"import sys\nPATH = list(sys.path)\n"
    part.write_bytes(code + struct.pack("<I", binascii.crc32(code)))
    part.with_suffix(".py").write_bytes(code)  # what CPython can import
    with pytest.raises(ModuleNotFoundError):
        __import__("ionto_some")
    shelf.load("ionto_some")
    assert sys.modules["ionto_some"].PATH == ionto_pack.PART_PATH
    assert sys.path == ionto_pack.NARROW_PATH


@pytest.mark.hazard("HAZ-30")
@on_one_file
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 255))
def test_a_damaged_part_is_not_imported(part: Path, place: int, change: int) -> None:
    """Against a damaged firmware file: a changed byte, or (0) a cut."""
    data = bytearray(SOUND)
    data[place] ^= change
    part.write_bytes(data if change else data[:place])
    with pytest.raises(ValueError, match=r"^$"):
        shelf.load("ionto_some")
    assert "ionto_some" not in sys.modules
    assert sys.path == ionto_pack.NARROW_PATH


@pytest.mark.hazard("HAZ-30")
def test_a_missing_part_is_told(part: Path) -> None:
    assert not part.exists()
    with pytest.raises(OSError, match="ionto_some"):
        shelf.load("ionto_some")
