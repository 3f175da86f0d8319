"""What a board's logs tell against its last visit: a flash that went back, logs gone, and what is in order."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_device import BOARD_ID, FakeDevice, make_log, on_pty
from hypothesis import given
from hypothesis import strategies as st
from shell import run

from ionto.version import FIRMWARE_VERSION
from ionto_host.device import versions
from ionto_host.device.answers import LogEntry
from ionto_host.logs import index as logindex
from ionto_host.logs import visit as logvisit


def notes(capsys: pytest.CaptureFixture[str], port: str, *command: str) -> list[str]:
    """Return what `ionto COMMAND --json` notes about the board's log store."""
    return json.loads(run(capsys, "--port", port, *command, "--json")[1])["notes"]


@pytest.mark.hazard("HAZ-31")
def test_a_flash_that_went_back_is_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Logs that were pulled are missing, newer than any on the board; doctor tells it, and `logs` once."""
    fake = FakeDevice()
    fake.logs = {number: make_log(log_id=number) for number in (1, 2, 3, 4)}
    with on_pty(fake) as port:
        assert notes(capsys, port, "logs", "pull") == []
        del fake.logs[3], fake.logs[4]
        out = run(capsys, "--port", port, "doctor")[1]
        assert "Log 3, 4 is no longer on the board" in out and "its newest log is 2, and it had 4" in out
        (told,) = notes(capsys, port, "logs", "list")
        assert "older state" in told and "their copies are here" in told
        assert notes(capsys, port, "logs", "pull") == []


@pytest.mark.hazard("HAZ-31")
def test_an_id_used_again_is_told_and_both_logs_are_kept(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A session after the flash went back has the id of a log that was pulled, or deleted."""
    fake = FakeDevice()
    fake.logs = {1: make_log(), 2: make_log(log_id=2)}
    with on_pty(fake) as port:
        run(capsys, "--port", port, "logs", "pull")
        fake.logs[2], fake.released = make_log(400, log_id=2), {1}
        code, out, err = run(capsys, "--port", port, "logs", "pull")
        assert code == 0 and "Log 2 on the board is not the one" in err
        assert "ANOTHER LOG than the one pulled before under this id" in out
        assert len(list((store / BOARD_ID).glob("000002*.ilog"))) == 2
        assert run(capsys, "--port", port, "logs", "delete", "2", "--yes")[0] == 0
        assert notes(capsys, port, "logs", "list") == [], "this computer deleted it"
        fake.logs[2] = make_log(log_id=2)
        assert "was deleted before" in notes(capsys, port, "logs", "list")[0]


@pytest.mark.hazard("HAZ-31")
def test_a_log_gone_without_a_copy_is_lost(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was listed, never pulled, and is not there any more; a file system made anew is told as such only."""
    fake = FakeDevice()
    fake.logs = {1: make_log(), 2: make_log(log_id=2)}
    with on_pty(fake) as port:
        assert notes(capsys, port, "logs", "list") == []
        del fake.logs[1]
        assert "there is no verified copy of log 1 here" in notes(capsys, port, "logs", "list")[0]
        fake.store, fake.logs = "11223344", {}
        assert "made anew" in run(capsys, "--port", port, "doctor")[1]
        (told,) = notes(capsys, port, "logs", "list")
        assert "made anew" in told


def test_pull_with_delete_is_in_order(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What this computer deleted itself is no finding, then or later."""
    fake = FakeDevice()
    with on_pty(fake) as port:
        assert notes(capsys, port, "logs", "pull", "--delete") == [] and not fake.logs
        fake.logs[2] = make_log(log_id=2)
        assert notes(capsys, port, "logs", "list") == []


def test_an_index_that_is_locked_is_kept(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the evidence of what was altered: an error of file and disk, exit code 6, and no new index."""
    with on_pty(FakeDevice()) as port:
        run(capsys, "--port", port, "logs", "pull")
        before = (store / logindex.FILE).read_bytes()
        monkeypatch.setattr(logindex, "_LOCK_WAIT_S", 0.0)
        with closing(sqlite3.connect(store / logindex.FILE)) as other:
            other.execute("BEGIN EXCLUSIVE")
            code, _, err = run(capsys, "--port", port, "logs", "list")
        assert code == 6 and "locked" in err and "defect" not in err
        assert (store / logindex.FILE).read_bytes() == before


@dataclass
class Board:
    """A board's logs by the rules of the firmware, and what a computer saw on its last visit."""

    last: int = 0
    logs: dict[int, LogEntry] = field(default_factory=dict)
    seen: dict[int, logvisit.Seen] = field(default_factory=dict)

    def session(self, room_for: int, size: int) -> None:
        """Drop up to `room_for` released logs, oldest first, and write a new one."""
        for log_id in sorted(log_id for log_id, entry in self.logs.items() if entry.pulled)[:room_for]:
            del self.logs[log_id]
        self.last += 1
        self.logs[self.last] = LogEntry(self.last, size, False)

    def visit(self) -> list[str]:
        """Be looked at, and return what is told."""
        told = logvisit.compare(list(self.seen.values()), list(self.logs.values()))
        kept = {log_id: item for log_id, item in self.seen.items() if item.state != logvisit.Kept.HERE}
        self.seen = kept | {e.id: logvisit.Seen(e.id, e.size_bytes, e.pulled) for e in self.logs.values()}
        return told

    def pull(self, log_id: int) -> list[str]:
        """Let a log be pulled and verified: after a look at all of them, as the command does."""
        told = self.visit()
        if log_id in self.logs:
            self.pull_elsewhere(log_id)
            self.seen[log_id] = logvisit.Seen(log_id, self.logs[log_id].size_bytes, True)
        return told

    def pull_elsewhere(self, log_id: int) -> None:
        """Let another computer pull and verify a log."""
        if log_id in self.logs:
            self.logs[log_id] = LogEntry(log_id, self.logs[log_id].size_bytes, True)

    def delete(self, log_id: int) -> None:
        """Let the computer delete a log that it has seen."""
        if log_id in self.logs and log_id in self.seen:
            del self.logs[log_id]
            self.seen[log_id] = logvisit.Seen(log_id, self.seen[log_id].size_bytes, True, logvisit.Kept.DELETED)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("session"), st.integers(0, 3), st.integers(100, 120)),
        st.tuples(st.just("visit")),
        st.tuples(st.sampled_from(["pull", "delete"]), st.integers(1, 9)),
    ),
    max_size=25,
)


def take(board: Board, steps: list[tuple]) -> list[str]:
    """Let `board` go through `steps`; return everything that visits told."""
    told: list[str] = []
    for name, *values in steps:
        told += getattr(board, name)(*values) or []
    return told


@given(STEPS)
def test_nothing_is_told_of_a_board_in_order(steps: list[tuple]) -> None:
    """Sessions, rotation of verified logs, pulls and deletions by this computer, in any order."""
    assert take(Board(), [*steps, ("visit",)]) == []


def test_a_log_that_another_computer_pulls_after_the_board_made_room_proves_nothing() -> None:
    """The older one was not verified yet when the newer one was dropped."""
    session = ("session", 0, 100)
    made_room = ("session", 1, 100)
    steps = [session, session, ("visit",), ("pull", 2), made_room, ("pull_elsewhere", 1), ("visit",)]
    assert take(Board(), steps) == []


@given(STEPS, STEPS)
def test_a_flash_that_lost_a_seen_log_is_always_told(before: list[tuple], after: list[tuple]) -> None:
    """Back to the state after `before`, when the newest log seen since is one that this computer did not delete."""
    board = Board()
    take(board, before)
    last, logs = board.last, dict(board.logs)
    take(board, [*after, ("session", 0, 100), ("visit",)])
    board.last, board.logs = last, logs
    assert board.visit()


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize(
    ("found", "text", "action"),
    [
        (FIRMWARE_VERSION, "fits this tool", ""),
        ("99.0.0", "newer than", "Update this tool."),
        ("0.0.1", "older than", "`ionto flash`"),
    ],
)
def test_whether_the_firmware_fits_is_told(
    found: str, text: str, action: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    """By info, status and doctor, in text and in JSON, with the step that works: flash refuses a newer firmware."""
    monkeypatch.setattr("fake_device.FIRMWARE_VERSION", found)
    fits = found == FIRMWARE_VERSION
    with on_pty(FakeDevice()) as port:
        for command in ("info", "status", "doctor"):
            out = run(capsys, "--port", port, command)[1]
            assert text in out and action in out, command
        for command in ("info", "status"):
            assert json.loads(run(capsys, "--port", port, command, "--json")[1])["firmware_fits"] is fits
    assert versions.is_newer(found) == (text == "newer than")
