"""Pulling logs: resumable, verified, whole files only, and nothing pulled is ever overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_device import BOARD_ID, FakeDevice, make_log, on_pty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ionto_host.device.answers import LogEntry
from ionto_host.device.client import Device
from ionto_host.errors import NoAnswerError, UsageError
from ionto_host.logs import store as logstore

LOG = make_log(1_400)


@pytest.fixture
def fake() -> FakeDevice:
    """A device with one long log."""
    made = FakeDevice()
    made.logs = {1: LOG}
    return made


@pytest.fixture
def device(fake: FakeDevice) -> Iterator[Device]:
    """The client of `fake`."""
    with on_pty(fake) as port, Device.open(port) as opened:
        yield opened


def pull(device: Device, folder: Path, log_id: int = 1) -> logstore.Pulled:
    """Pull one log."""
    entry = next(item for item in device.list_logs() if item.id == log_id)
    return logstore.pull(device, entry, folder, lambda *_: None)


def test_pull_and_pull_again(device: Device, tmp_path: Path) -> None:
    """A log is fetched once; the second pull finds it."""
    first = pull(device, tmp_path)
    assert first.fetched and first.verified and first.path.read_bytes() == LOG
    second = pull(device, tmp_path)
    assert not second.fetched and second.verified and second.path == first.path
    assert [path.name for path in tmp_path.iterdir()] == ["000001.ilog"]


@pytest.mark.hazard("HAZ-32")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(LOG)), junk=st.binary(max_size=20))
def test_resumes_after_an_interruption_at_any_byte(
    device: Device, fake: FakeDevice, tmp_path: Path, cut: int, junk: bytes
) -> None:
    """What an interrupted pull left is used as far as it is sound, whatever stands after it."""
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "000001.ilog.part").write_bytes(LOG[:cut] + junk)
    result = pull(device, tmp_path)
    assert result.verified and result.path.read_bytes() == LOG
    assert [path.name for path in tmp_path.iterdir()] == ["000001.ilog"]


def test_a_resumed_pull_asks_for_the_rest_only(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """Most of the log is not sent twice."""
    (tmp_path / "000001.ilog.part").write_bytes(LOG[: len(LOG) * 3 // 4])
    seen: list[int] = []
    logstore.pull(device, device.list_logs()[0], tmp_path, lambda log_id, done, total: seen.append(done))
    assert min(seen) > len(LOG) // 2


@pytest.mark.hazard("HAZ-32")
def test_the_part_of_another_log(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """A part that belongs to another session of the same id is not continued."""
    (tmp_path / "000001.ilog.part").write_bytes(make_log(900, charge_uc=1)[:9_000])
    assert pull(device, tmp_path).path.read_bytes() == LOG


@pytest.mark.hazard("HAZ-32")
def test_an_interrupted_pull_leaves_no_log(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """Until a log is whole there is only its part."""
    with pytest.raises(NoAnswerError):
        logstore.pull(device, LogEntry(1, len(LOG) + 5), tmp_path, lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["000001.ilog.part"]


@pytest.mark.hazard("HAZ-32")
def test_a_reused_id_does_not_overwrite(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """A device that uses an id again gets a second file; both stay."""
    pull(device, tmp_path)
    fake.logs[1] = make_log(1_400, charge_uc=30_000)
    second = pull(device, tmp_path)
    assert second.path.name == "000001-2.ilog"
    assert (tmp_path / "000001.ilog").read_bytes() == LOG


@pytest.mark.hazard("HAZ-32")
def test_a_log_damaged_on_the_device(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """It is kept, marked, and not taken for a verified one."""
    fake.logs[1] = LOG[:5_000] + b"\x00" + LOG[5_001:]
    result = pull(device, tmp_path)
    assert not result.verified and result.damage
    assert [path.name for path in tmp_path.iterdir()] == ["000001.ilog.damaged"]
    fake.logs[1] = b"not a log at all"
    assert not pull(device, tmp_path).verified


def test_a_log_that_is_still_being_written(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """Right after a session the end record may be missing; the pull waits for it."""
    answer = fake._on_10
    fake.logs[1] = LOG[: LOG.rindex(b"{") - 6]

    def list_and_finish(payload: bytes) -> bytes:
        listed = answer(payload)
        fake.logs[1] = LOG
        return listed

    fake._on_10 = list_and_finish
    result = pull(device, tmp_path)
    assert result.verified and result.path.read_bytes() == LOG


@pytest.mark.hazard("HAZ-32")
def test_an_altered_copy_is_fetched_again(device: Device, fake: FakeDevice, tmp_path: Path) -> None:
    """A file changed on disk does not count as pulled."""
    path = pull(device, tmp_path).path
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert logstore.stored_copy(device, device.list_logs()[0], tmp_path) is None
    assert pull(device, tmp_path).path.name == "000001-2.ilog"


def test_finding_a_log(tmp_path: Path) -> None:
    """By path, id or as the newest; several boards with the same id are not guessed between."""
    one = logstore.board_folder("aa", tmp_path)
    one.mkdir()
    with pytest.raises(UsageError, match="no log has been pulled yet"):
        logstore.find("last", tmp_path)
    path = logstore.path_of(one, 1)
    path.write_bytes(LOG)
    assert logstore.find("1", tmp_path) == logstore.find("last", tmp_path) == path
    assert logstore.find(str(path), tmp_path) == path
    with pytest.raises(UsageError):
        logstore.find("2", tmp_path)
    two = logstore.board_folder("../bb", tmp_path)
    assert two.parent == tmp_path
    two.mkdir()
    logstore.path_of(two, 1).write_bytes(LOG)
    with pytest.raises(UsageError, match="several boards"):
        logstore.find("1", tmp_path)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """IONTO_LOGS names another folder."""
    assert logstore.default_folder().name == "logs"
    monkeypatch.setenv("IONTO_LOGS", str(tmp_path))
    assert logstore.board_folder(BOARD_ID) == tmp_path / BOARD_ID
