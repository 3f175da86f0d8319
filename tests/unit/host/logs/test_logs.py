"""What is done with pulled logs: exports, comparison, report, index, import; and any file thrown at the commands."""

from __future__ import annotations

import csv
import doctest
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_device import BOARD_ID, FakeDevice, make_log, on_pty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shell import run

from ionto import faults, protocol
from ionto import sessionlog_format as layout
from ionto_host import logs
from ionto_host.errors import NotALogError, UsageError
from ionto_host.logs import diff as logdiff
from ionto_host.logs import export as logexport
from ionto_host.logs import index as logindex
from ionto_host.logs import plot, report, sessionfile
from ionto_host.logs import store as logstore
from ionto_host.logs.sessionfile import Event, Session

GOLDEN = Path(__file__).parents[3] / "golden"
LOG = GOLDEN / "format_3.ilog"
OLD = GOLDEN / "format_1.ilog"
OLDER = {1: OLD, 2: GOLDEN / "format_2.ilog"}


@pytest.fixture(scope="module")
def session() -> Session:
    """The golden session."""
    return logs.read(LOG)


def test_the_example_of_the_python_api() -> None:
    """The docstring of ionto_host.logs, run as it stands."""
    here = Path.cwd()
    os.chdir(Path(__file__).parents[4])
    try:
        assert doctest.testmod(logs).attempted >= 5
        assert doctest.testmod(logs).failed == 0
    finally:
        os.chdir(here)


def test_the_example_script(tmp_path: Path) -> None:
    """Run as its docstring says, on a sound log and on a damaged one."""
    script = Path(__file__).parents[4] / "examples" / "read_log.py"
    for name, content in (("whole", LOG.read_bytes()), ("half", LOG.read_bytes()[:2_500])):
        (tmp_path / f"{name}.ilog").write_bytes(content)
        command = [sys.executable, script, tmp_path / f"{name}.ilog", "--plot", tmp_path / f"{name}.png"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert ("verified" in out) == (name == "whole") and ("damage:" in out) == (name == "half")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        if name == "whole":
            assert re.search(r"hold: (199|200)\d uA, load 20\d\d ohm", out), out
            assert "polarity -" in out and "state DONE" in out


@pytest.mark.hazard("HAZ-32")
@pytest.mark.parametrize("version", OLDER)
def test_older_formats_are_read(version: int) -> None:
    """What they did not have is told as unknown, and nothing of it is compared."""
    old = logs.read(OLDER[version])
    assert old.verified and old.outcome == "complete" and len(old.samples) > 50
    assert {item.second_mean_ua for item in old.samples} == {0}
    held = sorted(item for item in old.samples if item.state == protocol.HOLD)
    middle = held[len(held) // 3]
    assert (middle.setpoint_ua, round(middle.current_mean_ua, -2), round(middle.load_mv, -2)) == (2_000, 2_000, 4_000)
    facts = sessionfile.summary(old)
    assert (facts["second_count_ma_min"], facts["charges_agree"]) == (None, None)
    assert logexport.sample_row(middle)["second_mean_ma"] is None


@pytest.mark.hazard("HAZ-03", "HAZ-32")
@pytest.mark.parametrize(
    ("end", "agree"),
    [
        ({"second_charge_uc": 61_000}, True),
        ({"second_charge_uc": 63_200}, False),
        ({"second_charge_uc": 56_500}, False),
        ({"second_charge_uc": 63_200, "on_ms": 80_000}, True),
        ({}, None),
    ],
)
def test_the_charges_of_both_sensors_are_compared(
    end: dict[str, int], agree: bool | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against a log that swears to a charge the load did not get: 5 % or 50 uA, by `show`, `verify` and `report`."""
    path = tmp_path / "000001.ilog"
    path.write_bytes(make_log(end={"outcome": protocol.COMPLETE, "charge_uc": 60_000, "t_ms": 62_000, **end}))
    session = logs.read(path)
    assert session.charges_agree is agree
    shown, verified = run(capsys, "logs", "show", path)[1], run(capsys, "logs", "verify", path)
    assert ("NOT WHAT WAS COUNTED" in shown) == ("is not what was counted" in verified[1]) == (agree is False)
    assert verified[0] == 0, "the log itself is sound"
    assert ("NOT what was counted" in report.page(session, path)) == (agree is False)


def test_arrays_have_the_fields_of_the_format(session: Session) -> None:
    """Values as in the typed records, without a change of unit."""
    samples, events = logs.array(session), logs.events_array(session)
    assert list(samples.dtype.names or ()) == [name for name, _ in layout.SAMPLE_FIELDS]
    assert [tuple(row) for row in samples.tolist()] == [tuple(item) for item in session.samples]
    assert [tuple(row) for row in events.tolist()] == [tuple(item) for item in session.events]
    assert logs.array(Session()).shape == (0,)


# Exports.


def test_csv_reads_back(session: Session) -> None:
    """The numbers of the samples, in the units that the columns name."""
    out = io.StringIO()
    logexport.write_csv(session, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    samples = [row for row in rows if not row["event"]]
    assert len(samples) == len(session.samples) and len(rows) == len(samples) + len(session.events)
    assert [round(float(row["current_max_ma"]) * 1000) for row in samples] == [
        s.current_max_ua for s in session.samples
    ]
    assert float(samples[-1]["charge_ma_min"]) == pytest.approx(0.15, rel=0.005)


def test_json_holds_everything(session: Session) -> None:
    """Header, self-test, samples, events, end."""
    out = io.StringIO()
    logexport.write_json(session, out)
    body = json.loads(out.getvalue())
    assert body["header"] == session.header and body["end"] == session.end and body["test"] == session.test
    assert (len(body["samples"]), len(body["events"])) == (len(session.samples), len(session.events))
    assert body["summary"]["log_verified"] is True


INFLUX = re.compile(
    r"ionto_(session|sample|event)(,[a-z]+=(?:[^ ,=\\]|\\.)+)* "
    r'[a-z_]+=("[^"]*"|[^ ,]+)(,[a-z_]+=("[^"]*"|[^ ,]+))* \d{19}'
)


def test_influx_lines_are_of_the_line_protocol(session: Session) -> None:
    """Every line matches the grammar; the first has the session, with its screening; times are those of the session."""
    out = io.StringIO()
    logexport.write_influx(session, out)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1 + len(session.samples) + len(session.events)
    assert all(INFLUX.fullmatch(line) for line in lines)
    assert session.started_unix_s is not None
    assert lines[0].startswith("ionto_session,") and f'outcome="{session.outcome}"' in lines[0]
    assert int(lines[0].rsplit(" ", 1)[1]) == session.started_unix_s * 10**9
    first = int(lines[1].rsplit(" ", 1)[1])
    assert first == session.started_unix_s * 10**9 + session.samples[0].t_ms * 10**6
    with pytest.raises(UsageError, match="clock"):
        logexport.write_influx(sessionfile.decode(make_log()), io.StringIO())


def test_parquet_reads_back(session: Session, tmp_path: Path) -> None:
    """As a table with units in the names; the rest is in its metadata."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    (tmp_path / "s.parquet").write_bytes(logexport.rendered(session, "parquet"))
    table = parquet.read_table(tmp_path / "s.parquet")
    assert tuple(table.column_names) == logexport.SAMPLE_COLUMNS
    assert table.num_rows == len(session.samples)
    assert json.loads(table.schema.metadata[b"ionto"])["end"] == session.end
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]


# Comparison.


def lines_of(session: Session) -> dict[str, logdiff.Line]:
    """Return the comparison by what is compared."""
    return {line.what: line for line in logdiff.compare(session)}


def test_a_good_session_agrees_with_its_dose(session: Session) -> None:
    """Every line that says something says so."""
    assert all(line.agrees is not False for line in logdiff.compare(session))
    assert {"charge, independent count", "current while holding, mean", "reversals"} <= lines_of(session).keys()


@pytest.mark.hazard("HAZ-18")
def test_what_differs_from_the_dose_is_named() -> None:
    """Against a log that looks good: less charge, too much current, a dose that is not the digest's, a fault."""
    found = lines_of(sessionfile.decode(make_log(charge_uc=59_000)))
    assert found["charge, controller's count"].agrees is False
    end: dict[str, object] = {
        "outcome": protocol.COMPLETE,
        "charge_uc": 60_000,
        "max_current_ua": 1_200,
        "t_ms": 62_000,
    }
    assert lines_of(sessionfile.decode(make_log(end=end)))["current, greatest"].agrees is False
    altered = sessionfile.decode(make_log())
    altered.header["digest"] = "0" * 64
    altered.events.append(Event(9, layout.FAULT_LATCHED, faults.OPEN_CIRCUIT, 0, 0))
    assert (lines_of(altered)["dose digest"].agrees, lines_of(altered)["faults"].agrees) == (False, False)


# Report and plot.


def test_the_report_is_one_page_with_everything(session: Session) -> None:
    """Nothing is loaded from elsewhere; dose, self-test, outcome, verification and safety words are there."""
    text = report.page(session, LOG)
    assert not re.search(r'(src|href)="(?!#)|@import|url\((?!#)', text), "a page of its own"
    assert text.count("<svg") == 1 and "set-point" in text and "electrode" in text and "load, kohm" in text
    words = ("Outcome: complete", "Log verified", "not a cleared medical device", "zero offset", "@page", "passed")
    assert all(word in text for word in words)
    assert session.chain.hex() in text and str(session.header["digest"]) in text


def test_the_report_of_a_damaged_log_says_so(tmp_path: Path) -> None:
    """Against damage passed over: the badge, the bytes, and what could be read."""
    data = bytearray(LOG.read_bytes())
    data[2_500] ^= 1
    path = tmp_path / "hurt.ilog"
    path.write_bytes(data)
    text = report.page(logs.read(path), path)
    assert "Log DAMAGED" in text and "Log verified" not in text and "damaged" in text
    assert "ALTERED" in report.page(logs.read(LOG), LOG, altered=True)


@pytest.mark.hazard("HAZ-18")
def test_nothing_in_a_log_becomes_markup(tmp_path: Path) -> None:
    """Against a name that is a script."""
    made = sessionfile.decode(make_log())
    dose = json.loads(made.header["dose"])
    made.header["dose"] = json.dumps({**dose, "name": "<script>alert(1)</script>", "drug": "$x_{y}$ <b>"})
    text = report.page(made, LOG)
    assert "<script>" not in text and "&lt;script&gt;" in text and "$ <b>" not in text


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_plots_of_every_kind(session: Session, kind: str, start: bytes) -> None:
    """An empty session draws as well."""
    for drawn in (session, Session()):
        assert plot.rendered(drawn, kind).startswith(start)


# Index, import, several boards.


def test_the_same_log_twice_is_one_log(store: Path) -> None:
    """Import by board; both formats."""
    where, new = logstore.add(LOG)
    assert new and where.parent.name == logs.read(LOG).board_id
    assert logstore.add(LOG) == (where, False)
    shutil.copy(LOG, store.parent / "again.ilog")
    assert logstore.add(store.parent / "again.ilog") == (where, False)
    assert logstore.add(OLD)[1]
    assert len(logstore.stored()) == 2
    with pytest.raises(NotALogError):
        logstore.add(Path(__file__))


@pytest.mark.hazard("HAZ-32")
def test_a_log_altered_on_disk_is_found(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when whoever altered it made every checksum hold: it is not the file that came."""
    path, _ = logstore.add(LOG)
    assert run(capsys, "logs", "verify")[0] == 0
    path.write_bytes(make_log(charge_uc=30_000))
    code, out, _ = run(capsys, "logs", "verify")
    assert code == 7 and "altered" in out
    code, out, err = run(capsys, "logs", "show", path)
    assert code == 7 and "altered" in err
    assert "ALTERED" in run(capsys, "logs", "list", "--port", "/nowhere")[1]
    path.write_bytes(LOG.read_bytes())
    assert run(capsys, "logs", "verify")[0] == 0


def test_the_index_follows_the_folder(store: Path) -> None:
    """New files are taken in, missing ones dropped; a broken index is built anew."""
    path, _ = logstore.add(LOG)
    with logindex.opened(store) as index:
        (row,) = index.refresh(logstore.stored())
    assert (row.outcome, row.verified, row.altered, row.size_bytes) == ("complete", True, False, LOG.stat().st_size)
    (store / logindex.FILE).write_bytes(b"not a data base, and longer than its header is" * 40)
    with logindex.opened(store) as index:
        assert [item.path for item in index.refresh(logstore.stored())] == [row.path]
    path.unlink()
    with logindex.opened(store) as index:
        assert index.refresh(logstore.stored()) == []


def test_several_boards(store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same id on two boards is told apart by the beginning of the board's id."""
    for board in ("aa01", "ab02"):
        folder = logstore.board_folder(board, store)
        folder.mkdir(parents=True)
        logstore.path_of(folder, 1).write_bytes(make_log())
    code, _, err = run(capsys, "logs", "show", "1")
    assert code == 2 and "aa01/1" in err and "ab02/1" in err
    assert "aa01" in run(capsys, "logs", "show", "aa/1")[1]
    for command in (["show", "1"], ["show"], ["show", "last"], ["diff", "1"], ["verify", "1"], ["verify"]):
        out = run(capsys, "logs", *command, "--board", "ab")[1]
        assert command[0] == "diff" or ("ab02" in out and "aa01" not in out), command
        assert "aa01" not in run(capsys, "--port", "AB02", "logs", *command)[1], "a serial number is a board's id"
    code, _, err = run(capsys, "logs", "show", "1", "--board", "ff")
    assert code == 2 and "of board ff" in err
    code, _, err = run(capsys, "--port", "/nowhere", "logs", "show", "1")
    assert code == 3 and "--board" in err
    monkeypatch.setenv("IONTO_PORT", "/nowhere")
    code, out, err = run(capsys, "logs", "show", "1", "--board", "aa")
    assert code == 0 and "aa01" in out
    code, out, err = run(capsys, "logs", "show")
    assert code == 0 and "every board" in err, "the port of every day may be unplugged"
    monkeypatch.delenv("IONTO_PORT")
    assert run(capsys, "--port", "/nowhere", "logs", "show", "aa01/1")[0] == 0, "this needs no device"
    assert len(json.loads(run(capsys, "logs", "list", "--json", "--port", "/nowhere")[1])["stored"]) == 2


def test_the_port_names_the_board(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two boards with a log 1, that of the one which is plugged in there."""
    for board in (BOARD_ID, "ffff"):
        folder = logstore.board_folder(board, store)
        folder.mkdir(parents=True)
        logstore.path_of(folder, 1).write_bytes(make_log())
    with on_pty(FakeDevice()) as port:
        for use in (["show", "1"], ["show"], ["verify"]):
            out = run(capsys, "--port", port, "logs", *use)[1]
            assert BOARD_ID in out and "ffff" not in out


@pytest.mark.hazard("HAZ-31", "HAZ-32")
def test_the_device_is_told_after_verification_only(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against a device that drops what nobody has. A damaged log is not told of; a new file system is noticed."""
    fake = FakeDevice()
    sound = make_log()
    fake.logs = {1: sound, 2: sound[:900] + b"\x00" + sound[901:]}
    with on_pty(fake) as port:
        code, out, _ = run(capsys, "--port", port, "logs", "pull", "--all")
        assert code == 7 and "DAMAGED" in out
        assert fake.released == {1}
        fake.store = "11223344"
        code, _, err = run(capsys, "--port", port, "logs", "pull", "1")
        assert code == 0 and "made anew" in err
        assert "made anew" not in run(capsys, "--port", port, "logs", "pull", "1")[2]
        assert run(capsys, "--port", port, "logs", "pull", "--all", "1")[0] == 2


# Any file at all.


USES = (
    ("verify",),
    ("show",),
    ("diff",),
    ("export", "--format", "json"),
    ("export", "--format", "csv"),
    ("export", "--format", "influx"),
)


def hurt(kind: str, at: int, data: bytes) -> bytes:
    """Return the golden log harmed as `kind` says."""
    whole = bytearray(LOG.read_bytes())
    at %= len(whole)
    if kind == "cut":
        return bytes(whole[:at])
    if kind == "flip":
        whole[at] ^= 1 << (len(data) % 8)
    elif kind == "future":
        whole[8:10] = b"\xff\x7f"
    elif kind == "random":
        return data
    else:
        whole[at : at + len(data)] = data
    return bytes(whole)


@pytest.mark.hazard("HAZ-32")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["cut", "flip", "future", "random", "overwrite"]),
    st.integers(0, 5_000),
    st.binary(max_size=64),
    st.sampled_from(USES),
)
def test_any_file_gives_an_answer_and_an_exit_code(
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    at: int,
    data: bytes,
    use: tuple[str, ...],
) -> None:
    """Never a traceback, never a damaged log that passes for a sound one."""
    path = tmp_path / "any.ilog"
    content = hurt(kind, at, data)
    path.write_bytes(content)
    output: tuple[Any, ...] = ("-o", tmp_path / f"out.{use[-1]}") if use[0] == "export" else ()
    code, out, err = run(capsys, "logs", use[0], path, *use[1:], *output)
    assert "Traceback" not in out + err and "defect" not in err
    sound = content == LOG.read_bytes()
    assert code in ((0,) if sound else (7, 2)), (code, out, err)


@pytest.mark.parametrize("command", ["show", "verify", "export", "diff", "plot"])
def test_a_folder_or_nothing_is_a_usage_error(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """What is no file at all is told in words."""
    for name in (tmp_path, tmp_path / "missing.ilog"):
        assert run(capsys, "logs", command, name)[0] == 2
