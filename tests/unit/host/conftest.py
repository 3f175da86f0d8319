"""What the tests of the host tool share: a fake device, and the command against it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_device import FakeDevice, on_pty
from shell import Shell


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of pulled logs."""
    monkeypatch.setenv("IONTO_LOGS", str(tmp_path / "logs"))
    return tmp_path / "logs"


@pytest.fixture
def fake() -> FakeDevice:
    """A device in good health, with one log."""
    return FakeDevice()


@pytest.fixture
def ionto(
    fake: FakeDevice, store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """The command, against `fake`, with its logs in a folder of the test."""
    monkeypatch.delenv("IONTO_PORT", raising=False)
    with on_pty(fake) as port:
        yield Shell(port, capsys)


@pytest.fixture
def port(fake: FakeDevice) -> Iterator[str]:
    """The pseudo-terminal on which `fake` listens."""
    with on_pty(fake) as path:
        yield path
