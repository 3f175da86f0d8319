"""A log that lacks a part of its session says so wherever it is shown: interrupted, damaged, or without samples."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import click
import pytest
from fake_device import BENCH_DOSE, BOARD_ID, FakeDevice, make_log
from shell import Shell

from ionto import protocol
from ionto_host.cli.root import root
from ionto_host.course import store as courses
from ionto_host.course.planner import Plan
from ionto_host.course.store import Course, Push
from ionto_host.logs import diff as logdiff
from ionto_host.logs import export as logexport
from ionto_host.logs import index as logindex
from ionto_host.logs import knowledge, plot, report, sessionfile
from ionto_host.logs import store as logstore

GOLDEN = Path(__file__).parents[3] / "golden" / "format_3_interrupted.ilog"
WHOLE = make_log()
LACKING = {
    "interrupted": GOLDEN.read_bytes(),
    "damaged": WHOLE[:800] + bytes([WHOLE[800] ^ 4]) + WHOLE[801:],
    "no samples": make_log(0),
    "no end": WHOLE[: WHOLE.rindex(b"\xa9\x04")],
}
WORDS = {"interrupted": ("interrupted", "no samples"), "no end": ("no end",)}
BEGUN_S = 1_770_000_000

# What each command that shows a log is given, and the file it writes. `{log}` is the path of the log.
SHOWS: dict[str, tuple[list[str], str]] = {
    "logs list": ([], ""),
    "logs pull": ([], ""),
    "logs show": (["{log}"], ""),
    "logs verify": (["{log}"], ""),
    "logs plot": (["{log}", "-o", "out.svg"], "out.svg"),
    "logs export": (["{log}", "-o", "out.csv"], "out.csv"),
    "logs diff": (["{log}"], ""),
    "logs import": (["{log}"], ""),
    "report": (["{log}", "-o", "out.html"], "out.html"),
    "course log": (["B-1", "--log", "{log}", "--reaction", "none"], ""),
    "course status": (["B-1"], ""),
    "course report": (["B-1", "--output", "out.html"], "out.html"),
    "course export": (["B-1"], ""),
}
# Those that show no log: `monitor`, `status` and the like tell of sessions by what the board says.
OTHERS = set(
    """abort; bench check; bench compare; bench report; bench run; bench wiring; calibrate; clear; clock set; comfort;
    completion; config set; config show; config unset; course delete; course new; course plan; course restore;
    devices; doctor; dose check; dose new; dose push; dose show; firmware fetch; firmware show; flash; info;
    limits set; limits show; logs delete; maintenance; monitor; pause; presets check; presets list;
    presets screening; presets show; bootloader; repl; reset; resume; selftest; serve; sim cable; sim fault;
    sim load; sim meter; sim press; sim reset; start; status""".replace("\n", " ").split(";")
)


def leaves(group: click.Group = root, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command that does something, as it is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_every_command_is_looked_at() -> None:
    """A new command is put on one of the two lists."""
    others = {" ".join(name.split()) for name in OTHERS}
    assert others | set(SHOWS) == set(leaves())


def recorded(kept: str) -> None:
    """Begin the course B-1 and push the dose of the logs for it; `kept` is the digest of that dose."""
    with courses.opened() as db:
        plan = Plan(date(2026, 1, 12), 6, 3, 0)
        course = db.add_course(Course("B-1", 0, "plantar-fasciitis/lidocaine", "heel", "normal", plan, True, 1))
        fields = json.loads(BENCH_DOSE)
        db.add_push(course, Push(0, BEGUN_S, BOARD_ID, kept, fields, {"answers": {}}, courses.OPEN))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with the course in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.hazard("HAZ-24", "HAZ-32")
@pytest.mark.parametrize("kind", LACKING)
def test_every_command_that_shows_a_log_says_what_it_lacks(
    ionto: Shell, fake: FakeDevice, desk: Path, kind: str
) -> None:
    """On stdout, on stderr or in what it writes: never a log like any other."""
    data = LACKING[kind]
    path = desk / "000001.ilog"
    path.write_bytes(data)
    recorded(hashlib.sha256(sessionfile.decode(data).header["dose"].encode()).hexdigest())
    fake.logs = {1: data}
    ionto("logs", "pull")
    for command in ("course log", *(name for name in SHOWS if name != "course log")):
        arguments, written = SHOWS[command]
        code = ionto(*command.split(), *(item.format(log=path) for item in arguments))
        text = (Path(written).read_text(encoding="utf-8") if written else "") + ionto.out + ionto.err
        for words in WORDS.get(kind, (kind,)):
            assert words in text.lower(), f"{command} of a log with {kind} (exit {code}):\n{text[:2000]}"


def test_a_whole_log_lacks_nothing(ionto: Shell, desk: Path) -> None:
    """No note where there is nothing to note."""
    path = desk / "000001.ilog"
    path.write_bytes(WHOLE)
    for command in ("logs show", "logs verify", "logs diff", "logs plot", "logs export", "report"):
        arguments, _ = SHOWS[command]
        assert ionto(*command.split(), *(item.format(log=path) for item in arguments)) == 0
        assert "not known" not in (ionto.out + ionto.err).lower()
    assert ionto.json("logs", "show", str(path))["not_known"] == []


@pytest.mark.hazard("HAZ-24")
def test_what_is_known_and_by_whom() -> None:
    """The charge is that of the chip, of the last sample, or unknown; the cause is the one that the board found."""
    (cut, _) = knowledge.told(sessionfile.decode(LACKING["interrupted"]))
    assert (
        "a loss of power, or a reset by the RUN pin" in cut and "How much flowed, and for how long, is not known" in cut
    )
    end: dict[str, object] = {"outcome": protocol.INTERRUPTED, "cause": "watchdog", "charge_uc": 6_000, "t_ms": 9_000}
    (kept, _) = knowledge.told(sessionfile.decode(make_log(0, events=False, end=end)))
    assert "watchdog" in kept and "At least 0.100 mA*min flowed, by the count that the chip kept" in kept
    (open_end,) = knowledge.told(sessionfile.decode(LACKING["no end"]))
    assert "At least 1.000 mA*min flowed, by the last sample" in open_end
    (bare,) = knowledge.told(sessionfile.decode(LACKING["no samples"]))
    assert "The board counted 1.000 mA*min" in bare


@pytest.mark.hazard("HAZ-24", "HAZ-32")
@pytest.mark.parametrize("kind", ["interrupted", "damaged", "no end"])
def test_what_is_not_in_the_log_is_not_taken_for_none(kind: str) -> None:
    """Against "faults none: agrees" of a session of which nothing is known (F15)."""
    session = sessionfile.decode(LACKING[kind])
    lines = {line.what: line for line in logdiff.compare(session)}
    for what in ("faults", "pauses", "contact decided the current", "reversals", "current lowered for comfort"):
        assert (lines[what].agrees, lines[what].found) == (None, "unknown"), what
    assert {line.what for line in lines.values() if line.agrees} <= {"outcome", "dose digest"}
    assert logdiff.agrees(list(lines.values()), session) is (None if kind == "damaged" else False)
    assert (
        "agrees</td></tr>"
        not in report.page(session, GOLDEN)
        .split("Session against its dose")[1]
        .split("<h2>Events")[0]
        .split("dose digest")[1]
        .split("</tr>", 1)[1]
    )


def test_what_is_too_much_already_is_told_of_a_damaged_log_too() -> None:
    """A greater current, a charge above the dose: more bytes would not make it less."""
    session = sessionfile.decode(make_log(charge_uc=66_000, end={"outcome": protocol.INTERRUPTED, "charge_uc": 66_000}))
    lines = {line.what: line for line in logdiff.compare(session)}
    assert lines["charge, controller's count"].agrees is False
    less = sessionfile.decode(make_log(charge_uc=6_000, end={"outcome": protocol.INTERRUPTED, "charge_uc": 6_000}))
    assert {line.what: line for line in logdiff.compare(less)}["charge, controller's count"].agrees is None


def test_exports_say_it_inside() -> None:
    """In the data, where the next program reads: CSV, JSON, InfluxDB; a plot in its picture."""
    session = sessionfile.decode(LACKING["interrupted"])
    out = io.StringIO()
    logexport.write_csv(session, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert (
        rows and rows[0]["event"].startswith("interrupted") and not rows[0]["time_s"] and not rows[0]["charge_ma_min"]
    )
    out = io.StringIO()
    logexport.write_json(session, out)
    assert json.loads(out.getvalue())["not_known"] == knowledge.told(session)
    out = io.StringIO()
    logexport.write_influx(session, out)
    assert 'flaws="interrupted, no samples"' in out.getvalue()
    assert "no samples" in plot.svg(session)


def test_the_list_of_an_older_index_learns_it_and_forgets_nothing(store: Path) -> None:
    """The SHA-256 of the day a log came stays, so that an altered one is still told."""
    for log_id, data in ((1, make_log(0)), (2, make_log(log_id=2))):
        path = logstore.path_of(store / BOARD_ID, log_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with logindex.opened(store) as index:
        index.refresh(logstore.stored())
    with closing(sqlite3.connect(store / logindex.FILE)) as base:
        base.execute("ALTER TABLE logs DROP COLUMN flaws")
        base.commit()
    changed = logstore.path_of(store / BOARD_ID, 2)
    changed.write_bytes(make_log(charge_uc=1))
    with logindex.opened(store) as index:
        rows = index.refresh(logstore.stored())
    assert [(row.log_id, row.flaws or "", row.altered) for row in rows] == [(1, "no samples", False), (2, "", True)]
