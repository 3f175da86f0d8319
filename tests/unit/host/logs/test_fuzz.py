"""Any bytes at all: the log's decoder and every command that takes a log; and a disk that fills while they write.

The coverage-guided pass mutates the golden logs, mends checksums and chain so that the mutation is read and not only
refused, and keeps what reaches new lines. IONTO_FUZZ sets its rounds, IONTO_FUZZ_SEED where it begins.
"""

from __future__ import annotations

import io
import os
import random
import resource
import struct
import sys
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fake_device import BOARD_ID, FakeDevice, make_log, on_pty

from ionto import sessionlog_format as layout
from ionto_host import cli
from ionto_host.errors import NotALogError
from ionto_host.logs import diff as logdiff
from ionto_host.logs import export as logexport
from ionto_host.logs import plot, report, sessionfile
from ionto_host.logs import records as logrecords
from ionto_host.logs import store as logstore
from verification.benchmarks import session_log

GOLDEN = [(Path(__file__).parents[3] / "golden" / f"format_{version}.ilog").read_bytes() for version in (1, 2, 3)]
ROUNDS = int(os.environ.get("IONTO_FUZZ", "300"))
SEED = int(os.environ.get("IONTO_FUZZ_SEED", "20"))
LOOKED_AT = (logrecords.__file__, sessionfile.__file__, logdiff.__file__, logexport.__file__)
USES = (
    ("logs", "verify"),
    ("logs", "show"),
    ("logs", "diff"),
    ("logs", "export", "--format", "csv", "-o", "out.csv"),
    ("logs", "export", "--format", "json", "-o", "out.json"),
    ("logs", "export", "--format", "influx", "-o", "out.lp"),
    ("logs", "export", "--format", "parquet", "-o", "out.parquet"),
    ("logs", "plot", "-o", "out.png"),
    ("report", "-o", "out.html"),
)


def use_everything(data: bytes) -> None:
    """Decode `data` and do with it what the commands do, pictures excepted; NotALogError is the only way out."""
    try:
        session = sessionfile.decode(data)
    except NotALogError:
        return
    sessionfile.summary(session)
    logdiff.compare(session)
    logexport.write_csv(session, io.StringIO())
    logexport.write_json(session, io.StringIO())
    if session.started_unix_s is not None:
        logexport.write_influx(session, io.StringIO())


@pytest.mark.hazard("HAZ-32")
@pytest.mark.parametrize("data", GOLDEN, ids=["format 1", "format 2", "format 3"])
def test_truncated_at_every_length(data: bytes) -> None:
    """Each of them: the documented error, or a session that is marked; only the whole file is sound."""
    for length in range(len(data)):
        try:
            session = sessionfile.decode(data[:length])
        except NotALogError:
            assert length < 10
            continue
        assert not session.verified and session.damage
    assert sessionfile.decode(data).verified


@pytest.mark.hazard("HAZ-32")
def test_coverage_guided(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Against an input that nobody thought of."""
    chance = random.Random(SEED)
    corpus = [make_log(3), *(data[:1_500] for data in GOLDEN)]
    seen: set[tuple[str, int, int]] = set()
    for data in corpus:
        seen |= lines_of(data)
    begun = len(seen)
    for number in range(ROUNDS):
        data = mutated(chance, chance.choice(corpus))
        try:
            found = lines_of(data)
        except Exception:
            with capsys.disabled():
                print(f"\nround {number} of seed {SEED}: {data!r}")
            raise
        if not found <= seen:
            seen |= found
            corpus.append(data)
            write_report(data, monkeypatch)
    for data in corpus[-4:]:
        write_report(data, None)
    assert len(corpus) > 6 and len(seen) > begun, "the mutations reach what the golden logs do not"


def write_report(data: bytes, monkeypatch: pytest.MonkeyPatch | None) -> None:
    """Make the report of `data`, with `monkeypatch` without its picture, which takes long."""
    try:
        session = sessionfile.decode(data)
    except NotALogError:
        return
    with monkeypatch.context() if monkeypatch else nullcontext() as patching:
        if patching:
            patching.setattr(plot, "svg", lambda session: "<svg/>")
        assert "Safety." in report.page(session, Path(__file__))


def lines_of(data: bytes) -> set[tuple[str, int, int]]:
    """Return the steps from line to line that reading `data` takes in the modules looked at."""
    taken: set[tuple[str, int, int]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in LOOKED_AT:
            return None
        before = frame.f_lineno

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            taken.add((frame.f_code.co_filename, before, frame.f_lineno))
            before = frame.f_lineno
            return step

        return step

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        use_everything(data)
    finally:
        sys.settrace(earlier)
    return taken


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return `data` with a few changes; mostly with checksums and chain that hold again."""
    changed = bytearray(data)
    if chance.random() < 0.3:
        for _ in range(chance.randint(1, 4)):
            _hurt(chance, changed)
        return bytes(changed)
    records = [(item.kind, bytearray(item.payload)) for item in _records(data)]
    for _ in range(chance.randint(1, 3)):
        if not records:
            break
        kind, payload = chance.choice(records)
        what = chance.random()
        if what < 0.15:
            records.append((chance.randint(0, 7), payload))
        elif what < 0.25:
            records.remove((kind, payload))
        elif kind in (layout.SAMPLES, layout.EVENTS):
            _hurt_rows(chance, payload)
        else:
            _hurt_json(chance, payload)
    return session_log.log([(kind, bytes(payload)) for kind, payload in records])


def _records(data: bytes) -> list[logrecords.Record]:
    try:
        return [item for item in logrecords.scan(data) if isinstance(item, logrecords.Record)]
    except NotALogError:
        return []


def _hurt(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    what = chance.random()
    if what < 0.4 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif what < 0.6:
        del data[at : at + chance.randint(1, 200)]
    elif what < 0.8:
        data[at:at] = chance.randbytes(chance.randint(1, 20))
    else:
        data[8:10] = struct.pack("<H", chance.choice([0, 1, 2, 3, 0xFFFF]))


def _hurt_rows(chance: random.Random, payload: bytearray) -> None:
    """Put the largest, the least or any number somewhere."""
    if payload:
        at = chance.randrange(len(payload))
        new = chance.choice([b"\xff\xff\xff\xff", bytes(4), b"\x00\x00\x00\x80", chance.randbytes(4)])
        payload[at : at + 4] = new[: len(payload) - at]


def _hurt_json(chance: random.Random, payload: bytearray) -> None:
    """Put a value of another type, or a bound of one, in the place of a number or a word."""
    values = [b"null", b"true", b"-1", b"1e999", b"NaN", b'""', b"[]", b"{}", b"99999999999999999999", b'"\\ud800"']
    marks = [at for at, byte in enumerate(payload) if byte == ord(":")]
    if marks and chance.random() < 0.8:
        at = chance.choice(marks) + 1
        ends = [payload.find(end, at) for end in b",}" if payload.find(end, at) > 0]
        payload[at : min(ends, default=len(payload))] = chance.choice(values)
    else:
        _hurt(chance, payload)


def run(capsys: pytest.CaptureFixture[str], use: tuple[str, ...], path: Path) -> tuple[int, str]:
    """Run a command on the log `path`; return the exit code and all it said."""
    words = 2 if use[0] == "logs" else 1
    code = cli.main([*use[:words], str(path), *use[words:]])
    out, err = capsys.readouterr()
    return code, out + err


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "random": random.Random(1).randbytes(3_000),
    "text": b"hello\n" * 99,
    "future": GOLDEN[1][:8] + b"\x63\x00" + GOLDEN[1][10:],
    "head": GOLDEN[1][:10],
    "half": GOLDEN[1][:2_300],
    "flip": GOLDEN[1][:1_000] + bytes([GOLDEN[1][1_000] ^ 4]) + GOLDEN[1][1_001:],
    "old half": GOLDEN[0][:1_700],
    "wild": session_log.log(
        [
            (
                layout.ARM,
                b'{"dose": "{\\"name\\": 7, \\"dose_uc\\": 1e400, \\"polarity\\": [], \\"current_ua\\": \\"x\\"}",'
                b'"board_id": 9, "parts": {"a": {}}, "time_unix_s": [], "calibration": []}',
            ),
            (layout.SAMPLES, b"\xff" * layout.SAMPLE_BYTES + bytes(layout.SAMPLE_BYTES)),
            (layout.EVENTS, b"\xff" * layout.EVENT_BYTES),
            (layout.TEST, b'{"selftest": [[1, 2, 3, 4, 5, 6], 7], "zero_ua": {}}'),
            (layout.END, b'{"outcome": "<b>", "t_ms": null}'),
        ]
    ),
}


@pytest.mark.hazard("HAZ-32")
@pytest.mark.parametrize("name", HOSTILE)
def test_every_command_on_every_kind_of_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error in words or a marked partial result, exit code 7; and no file where there is nothing to write."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IONTO_LOGS", str(tmp_path / "logs"))
    path = tmp_path / "any.ilog"
    path.write_bytes(HOSTILE[name])
    partial = name not in ("nothing", "random", "text", "future")
    for use in USES:
        code, said = run(capsys, use, path)
        undated = code == 2 and "influx" in use
        whole = 5 if "diff" in use else 0  # its dose is not in the log: not all of it is known
        assert undated or code == (whole if name == "wild" else 7), (use, said)
        assert "Traceback" not in said and "defect" not in said
        if "-o" in use:
            assert (tmp_path / use[-1]).exists() == (partial and not undated), use
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.hazard("HAZ-32")
@pytest.mark.parametrize("use", [use for use in USES if "-o" in use])
def test_a_full_disk_leaves_no_half_file(
    use: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stood there before is as it was; what did not, is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IONTO_LOGS", str(tmp_path / "logs"))
    path = tmp_path / "any.ilog"
    path.write_bytes(GOLDEN[1])
    report.page(sessionfile.decode(GOLDEN[1]), path)  # what the libraries keep for themselves is written here
    before = None
    for again in (False, True):
        if again:
            assert run(capsys, use, path)[0] == 0
            before = (tmp_path / use[-1]).read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))
        try:
            code, said = run(capsys, use, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        if code == 2 and "influx" in use:
            return
        assert code == 6 and "Check the path" in said, said
        assert sorted(item.name for item in tmp_path.iterdir()) == sorted(["any.ilog", *([use[-1]] if before else [])])
        assert not before or (tmp_path / use[-1]).read_bytes() == before


@pytest.mark.hazard("HAZ-32")
def test_a_log_of_another_board_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pulled from a board that did not write it, put into another's folder, or asked for as another's."""
    store = tmp_path / "logs"
    monkeypatch.setenv("IONTO_LOGS", str(store))
    fake = FakeDevice()
    fake.logs = {1: make_log(), 2: GOLDEN[1]}
    with on_pty(fake) as port:
        assert cli.main(["--port", port, "logs", "pull"]) == 7
        out = capsys.readouterr().out
    wrote = sessionfile.decode(GOLDEN[1]).board_id
    assert f"WRITTEN BY BOARD {wrote}" in out and out.count("WRITTEN") == 1
    misplaced = logstore.board_folder(BOARD_ID) / "000002.ilog"
    code, said = run(capsys, ("logs", "verify"), misplaced)
    assert code == 7 and f"of board {wrote}, and lies with those of board {BOARD_ID}" in said
    assert "lies with those" in run(capsys, ("logs", "show"), misplaced)[1]
    path = tmp_path / "copy.ilog"
    path.write_bytes(GOLDEN[1])
    assert run(capsys, ("logs", "verify"), path)[0] == 0
    code, said = run(capsys, ("logs", "verify", "--board", "0123"), path)
    assert code == 7 and "not of 0123" in said
