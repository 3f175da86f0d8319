"""What the unit tests share: Hypothesis without a deadline, because a step may simulate seconds, and fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from shell import Shell
from test_host_fake_device import FakeDevice, on_pty

settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


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
