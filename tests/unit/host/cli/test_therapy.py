"""The therapy side as a user types it: presets, fitted doses, screened pushes, courses, pages - against one device."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import fake_device as fakes
import pytest
from fake_device import BOARD_ID, FakeDevice, make_log
from icalendar import Calendar
from shell import BENCH, EXAMPLES, Shell

from ionto import limits, protocol
from ionto_host import cli
from ionto_host.cli import common, coursecmd
from ionto_host.course import fromlog, store
from ionto_host.dose import file as dosefile

NOTICE = "not a cleared medical device"
ANSWERS = EXAMPLES / "answers/simulated_load.toml"
HEEL = str(EXAMPLES / "plantar_fasciitis_dexamethasone.toml")
NEW = ("--preset", "plantar-fasciitis", "--area", "10")


@pytest.fixture
def fake() -> FakeDevice:
    """A device without logs."""
    device = FakeDevice()
    device.logs = {}
    return device


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder of its own, with the library that is shipped."""
    monkeypatch.delenv("IONTO_LIBRARY", raising=False)
    monkeypatch.chdir(tmp_path)


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    """Let a person sit at the terminal who types `typed`."""
    terminal = io.StringIO(typed)
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(common, "is_terminal", lambda: True)


def answers(folder: Path, **given: str) -> str:
    """Write answers that are no but for those `given` and return the path."""
    path = folder / "answers.toml"
    text = ANSWERS.read_text()
    for name, word in given.items():
        key = name.replace("_", "-")
        text = text.replace(f'{key} = "no"', f'{key} = "{word}"')
    path.write_text(text)
    return str(path)


def test_presets(ionto: Shell) -> None:
    """Every page says what this is, and every figure where it comes from."""
    assert ionto("presets", "list") == 0
    assert NOTICE in ionto.out and "plantar-fasciitis/lidocaine" in ionto.out and "VERIFY" in ionto.out
    assert ionto("presets", "show", "plantar-fasciitis") == 0
    for said in (NOTICE, "F. A. Davis", "careful default", "IontoDC", "context only", "pacemaker"):
        assert said in ionto.out
    shown = ionto.json("presets", "show", "hyperhidrosis")
    assert all(row["source"] for row in shown["figures"]) and NOTICE in shown["notice"]
    assert ionto("presets", "show", "glycopyrrolate") == 0 and "--pole-verified" in ionto.out
    assert ionto("presets", "show", "measles") == 2 and "tendinitis" in ionto.err
    assert len(ionto.json("presets", "list")["presets"]) == 22


def test_a_library_of_ones_own_is_checked(ionto: Shell, tmp_path: Path) -> None:
    """Exit code 4 with file and line; 0 with what it adds; 2 without a folder."""
    folder = tmp_path / "mine"
    folder.mkdir()
    text = 'schema = 1\n[reactions.warmth]\nname = "warmth"\nseverity = 1\nsource = ["house-rule"]\n'
    (folder / "reactions.toml").write_text(text)
    assert ionto("presets", "check", str(folder)) == 0 and "1 reactions" in ionto.out
    (folder / "reactions.toml").write_text(text + "colour = 1\n")
    assert ionto("presets", "check", str(folder)) == 4
    assert "reactions.toml, line 6" in ionto.err and "unknown field colour" in ionto.err
    assert ionto.json("presets", "check", str(folder))["error"]["problems"][0]["line"] == 6
    assert ionto("presets", "check", str(tmp_path / "none")) == 2


@pytest.mark.hazard("HAZ-35")
def test_the_wrong_pole_is_refused_at_new_check_and_push(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """Before anything is sent, with field, value and next step."""
    path = tmp_path / "wrong.toml"
    path.write_text(Path(HEEL).read_text().replace('polarity = "-"', 'polarity = "+"'))
    for command in (("check", str(path)), ("push", str(path), "--screening", str(ANSWERS))):
        assert ionto("dose", *command) == 4
        assert "polarity is +, but dexamethasone" in ionto.err and 'Set polarity = "-"' in ionto.err
    assert ionto.json("dose", "check", str(path))["error"]["field"] == "polarity"
    plain = ("--current", "2", "--dose", "20", "--area", "10", "--polarity", "-", "--drug", "lidocaine")
    assert ionto("dose", "new", "new.toml", *plain) == 4 and not (tmp_path / "new.toml").exists()
    assert protocol.DOSE_PUSH not in fake.requests


@pytest.mark.hazard("HAZ-35")
def test_a_pole_that_no_source_gives_is_looked_up_by_a_person(ionto: Shell, tmp_path: Path) -> None:
    """Refused at new, check and push until it is said where; then the file and the record say so."""
    new = ("dose", "new", "g.toml", "--preset", "hyperhidrosis/glycopyrrolate", "--area", "10", "--accept")
    assert ionto(*new) == 2 and "--pole-verified" in ionto.err
    assert ionto(*new, "--polarity", "+") == 4 and "give no pole" in ionto.err
    assert ionto(*new, "--polarity", "+", "--pole-verified", "leaflet 7") == 0
    assert 'pole_verified = "leaflet 7"' in (tmp_path / "g.toml").read_text()
    pushed = ionto.json("dose", "push", "g.toml", "--screening", answers(tmp_path))
    assert json.loads(Path(pushed["screening_file"]).read_text())["pole_verified"] == "leaflet 7"
    text = (tmp_path / "g.toml").read_text().replace('pole_verified = "leaflet 7"', "")
    (tmp_path / "g.toml").write_text(text)
    assert ionto("dose", "check", "g.toml") == 4
    assert ionto("dose", "check", "g.toml", "--pole-verified", "leaflet 7") == 0


def test_a_preset_becomes_a_commented_file(ionto: Shell, tmp_path: Path) -> None:
    """With sources in comments; the careful density refuses, another source can be decided for."""
    given = ("--preset", "plantar-fasciitis/lidocaine", "--current", "2", "--dose", "39", "--area", "10")
    assert ionto("dose", "new", "d.toml", *given) == 0
    text = (tmp_path / "d.toml").read_text()
    assert 'polarity = "+"' in text and "# Sources disagree" in text and "max_density_ma_cm2 = 0.2" in text
    assert ionto("dose", "check", "d.toml") == 0 and "F. A. Davis" in ionto.out
    high = (*given[:3], "4", *given[4:], "--force")
    assert ionto("dose", "new", "d.toml", *high) == 4
    assert "0.4 mA/cm2, allowed 0.2" in ionto.err and "20 cm2" in ionto.err and "--max-density" in ionto.err
    assert ionto("dose", "new", "d.toml", *high, "--max-density", "0.5") == 0
    assert ionto("dose", "check", "d.toml") == 0 and "Above the careful figure" in ionto.out
    assert ionto("dose", "new", "d.toml", *high, "--max-density", "0.9") == 4
    assert ionto("dose", "new", "x.toml", "--area", "10") == 2 and "--current" in ionto.err
    assert ionto("dose", "new", "x.toml", *NEW, "--accept", "--name", "n" * 41) == 4, "no name is cut"


def test_check_explains_every_number(ionto: Shell) -> None:
    """How it follows, and its share of the limit; the voltage at the loads asked for."""
    checked = ionto.json("dose", "check", HEEL, "--load", "2000", "--load", "10000")
    derived = {item["name"]: item for item in checked["derived"]}
    assert derived["charge"]["share_pct"] == 50 and derived["density"]["share_pct"] == 80
    assert derived["time"]["value"] == 10.5
    assert derived["voltage at 2 kohm"]["value"] == 8 and derived["voltage at 2 kohm"]["share_pct"] < 100
    board = limits.variant_a()
    inner_ohm = board.series_ohm + board.sense_mohm / 1_000
    flows_ma = board.min_rail_mv / (10_000 + inner_ohm)
    assert f"only {flows_ma:.2f} mA flow" in derived["voltage at 10 kohm"]["how"]
    assert ionto("dose", "check", HEEL) == 0
    for said in ("40 mA*min / 4 mA = 10:00", "80 % of 0.5 mA/cm2", "voltage at 4.7 kohm", NOTICE):
        assert said in ionto.out


@pytest.mark.hazard("HAZ-36")
def test_a_push_is_screened(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """Nobody to ask and no file: refused. A yes: refused, and kept. All no: pushed, and kept by the digest."""
    assert ionto("dose", "push", HEEL) == 4 and "ionto presets screening" in ionto.err
    assert ionto("dose", "push", HEEL, "--screening", answers(tmp_path, pregnancy="?")) == 4
    assert ionto("dose", "push", HEEL, "--screening", answers(tmp_path, damaged_skin="yes")) == 4
    assert "damaged skin conducts better" in ionto.err
    assert not fake.dose and protocol.DOSE_PUSH not in fake.requests
    (kept,) = (tmp_path / "logs" / BOARD_ID / "screening").glob("*.json")
    assert json.loads(kept.read_text())["result"] == "refused"
    pushed = ionto.json("dose", "push", HEEL, "--screening", answers(tmp_path))
    record = json.loads(Path(pushed["screening_file"]).read_text())
    assert record["digest"] == pushed["digest"] and record["result"] == "passed" and NOTICE in record["notice"]
    assert len(record["answers"]) == 13 and not any(item["yes"] for item in record["answers"].values())
    assert record["file_sha256"] and fake.dose


@pytest.mark.hazard("HAZ-36")
def test_a_person_is_asked_at_the_terminal(ionto: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr; the first yes decides; the end of the input is no answer."""
    at_terminal(monkeypatch, "n\n" * 13)
    assert ionto.json("dose", "push", HEEL)["screening"]["how"] == "asked"
    assert "12. Does the path" in ionto.err and NOTICE in ionto.err
    fake.dose = b""
    at_terminal(monkeypatch, "n\ny\n")
    assert ionto("dose", "push", HEEL) == 4 and "pregnancy: yes" in ionto.err and "3." not in ionto.err
    at_terminal(monkeypatch, "n\nn\n")
    assert ionto("dose", "push", HEEL) == 130
    assert not fake.dose


@pytest.mark.hazard("HAZ-36")
def test_the_exemption_of_the_bench_is_said(ionto: Shell) -> None:
    """In words and in JSON."""
    assert ionto("dose", "push", BENCH) == 0 and "nobody is connected" in ionto.err and "no questions" in ionto.out
    assert "nobody is connected" in ionto.json("dose", "push", BENCH)["screening"]["exempt"]


@pytest.mark.hazard("HAZ-36")
def test_a_refusal_by_the_device_takes_the_record_back(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """No answers are kept for a dose that no device holds."""
    fake.limits = limits.variant_a()
    fake.limits.max_current_ua = 500
    assert ionto("dose", "push", HEEL, "--screening", answers(tmp_path)) == 4 and "by the device" in ionto.err
    assert not list((tmp_path / "logs").rglob("*.json"))


def push(ionto: Shell, at: str, *more: str) -> int:
    """Push the dose of the bench course B-1 for the moment `at`."""
    return ionto("dose", "push", "d.toml", "--course", "B-1", "--screening", str(ANSWERS), "--at", at, *more)


def run(ionto: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch, *reactions: str) -> int:
    """Let the session of the pushed dose have happened, pull its log and record it."""
    monkeypatch.setattr(fakes, "BENCH_DOSE", fake.dose)
    fake.logs[len(fake.logs) + 1] = make_log(120 + len(fake.logs))
    assert ionto("logs", "pull") == 0
    given = [part for item in reactions for part in ("--reaction", item)]
    return ionto("course", "log", "B-1", *given)


@pytest.fixture
def bench_course(ionto: Shell) -> Shell:
    """A course played on loads, with its dose in d.toml."""
    begin = ("--preset", "plantar-fasciitis", "--bench", "--start", "2026-03-02", "--sessions", "4")
    assert ionto("course", "new", "B-1", *begin) == 0
    assert ionto("dose", "new", "d.toml", "--subject", "B-1", "--area", "10", "--accept") == 0
    return ionto


@pytest.mark.hazard("HAZ-37")
def test_a_course_from_begin_to_report(
    bench_course: Shell, fake: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushes with their interval, logs with reactions, warnings, calendar, page, export, deletion."""
    ionto = bench_course
    assert push(ionto, "2026-03-02 10:00") == 0 and "ionto course log B-1/1" in ionto.out
    assert push(ionto, "2026-03-09 10:00") == 4 and "is not recorded" in ionto.err
    assert ionto("course", "log", "B-1", "--reaction", "none") == 4 and "ionto logs pull" in ionto.err
    assert run(ionto, fake, monkeypatch) == 2 and "no reaction is given" in ionto.err
    assert ionto("course", "log", "B-1", "--accept") == 2, "a log without a report proposes nothing"
    assert ionto("course", "log", "B-1", "--reaction", "redness") == 0 and "1 of 4" in ionto.out
    assert push(ionto, "2026-03-04 09:59") == 4
    assert "too soon" in ionto.err and "from 2026-03-04 10:00 on" in ionto.err
    assert push(ionto, "2026-03-01 10:00") == 4 and "in the future" in ionto.err
    assert push(ionto, "2026-03-04 10:00") == 0
    assert run(ionto, fake, monkeypatch, "redness", "stinging") == 0
    assert "WARNING: redness came back" in ionto.out
    assert ionto("dose", "new", "d.toml", "--subject", "B-1", "--area", "10", "--accept", "--force") == 0
    assert "Proposed: 1.5 mA" in ionto.err and "stinging" in ionto.err
    assert push(ionto, "2026-03-07 10:00") == 0
    assert run(ionto, fake, monkeypatch, "blister") == 0
    assert push(ionto, "2026-03-10 10:00") == 4 and "--reviewed" in ionto.err
    assert push(ionto, "2026-03-10 10:00", "--reviewed", "healed, seen on the 9th") == 0
    assert ionto("course", "log", "B-1", "--not-run") == 0 and "3 of 4" in ionto.out
    assert ionto("course", "log", "B-1", "--session", "3", "--reaction", "burn") == 0 and "burn" in ionto.out
    assert ionto("course", "plan", "B-1", "--ics", "c.ics") == 0
    assert len(Calendar.from_ical((tmp_path / "c.ics").read_bytes()).walk("VEVENT")) == 1
    assert ionto("course", "report", "B-1") == 0
    page = (tmp_path / "course-B-1-1.html").read_text()
    assert page.count("<article") == 3 and NOTICE in page and "burn" in page
    kept = ionto.json("course", "export", "B-1")
    assert len(kept["courses"][0]["sessions"]) == 3 and len(kept["courses"][0]["pushes"]) == 4
    assert ionto("course", "delete", "B-1", "--yes") == 0
    assert ionto("course", "status", "B-1") == 2 and not list((tmp_path / "logs").rglob("screening/*.json"))
    assert len(list((tmp_path / "logs").rglob("*.ilog"))) == 3, "logs name nobody and stay"


@pytest.mark.hazard("HAZ-37")
def test_a_new_course_forgets_nothing_of_the_site(
    bench_course: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burn, a dose whose session is not recorded, the interval: whichever course and preset they were of."""
    ionto = bench_course
    begin = ("course", "new", "B-1", "--bench", "--start", "2026-03-02", "--preset")
    assert push(ionto, "2026-03-02 10:00") == 0 and run(ionto, fake, monkeypatch, "burn") == 0
    assert ionto(*begin, "plantar-fasciitis") == 0 and "burn after the last session at the site" in ionto.out
    again = ("dose", "push", "d.toml", "--course", "B-1/2", "--screening", str(ANSWERS), "--at", "2026-03-10 10:00")
    assert ionto(*again) == 4 and "ended with burn" in ionto.err and "--reviewed" in ionto.err
    assert ionto(*begin, "plantar-fasciitis/lidocaine") == 0
    assert ionto("dose", "new", "l.toml", "--subject", "B-1/3", "--area", "10", "--accept") == 4
    assert "no proposal after a burn" in ionto.err
    assert ionto(*again, "--reviewed", "healed") == 0
    other = ("dose", "push", "d.toml", "--course", "B-1/1", "--screening", str(ANSWERS), "--at", "2026-03-20 10:00")
    assert ionto(*other) == 4 and "for B-1/2 is not recorded" in ionto.err and "course log B-1/2" in ionto.err
    assert ionto("course", "log", "B-1/2", "--reaction", "none", "--without-log") == 0
    assert ionto(*other) == 0, "a session that was looked at and went well is the last one of every course"
    assert ionto("dose", "new", "l.toml", "--subject", "B-1/3", "--area", "10", "--accept") == 0


@pytest.mark.hazard("HAZ-37")
def test_a_dose_has_to_belong_to_its_course(bench_course: Shell, tmp_path: Path) -> None:
    """Subject, preset, drug, site and one start; a dose for a subject needs its course."""
    ionto, good = bench_course, (tmp_path / "d.toml").read_text()
    assert ionto("dose", "push", "d.toml", "--screening", str(ANSWERS)) == 4 and "--course B-1" in ionto.err
    for old, new, said in (
        ('subject = "B-1"', 'subject = "B-2"', "subject is B-2"),
        ("preset = ", 'preset = "bursitis" #', "preset is bursitis"),
        ('site = "heel, plantar side"', 'site = "elbow"', "site is elbow"),
        ("starts = 1", "starts = 3", "starts is 3"),
        ('drug = "dexamethasone sodium phosphate"', 'drug = "none"', "drug is none"),
    ):
        (tmp_path / "d.toml").write_text(good.replace(old, new))
        assert push(ionto, "2026-03-02 10:00") == 4 and said in ionto.err, said
    (tmp_path / "d.toml").write_text(good)
    given = (tmp_path / "answers.toml").write_text('subject = "B-2"\n' + ANSWERS.read_text())
    assert given and ionto("dose", "push", "d.toml", "--course", "B-1", "--screening", "answers.toml") == 4
    assert "answers of B-2" in ionto.err
    assert ionto("course", "new", "P-9", "--preset", "bursitis") == 0
    assert ionto("dose", "push", HEEL, "--course", "P-9", "--at", "2026-03-02") == 4 and "no bench course" in ionto.err
    assert ionto("dose", "push", HEEL, "--at", "2026-03-02") == 2


@pytest.mark.hazard("HAZ-37")
def test_a_course_keeps_the_interval_of_its_sources(ionto: Shell) -> None:
    """Only loads may be played faster; a code that looks like a name is refused."""
    new = ("course", "new", "P-014", "--preset", "hyperhidrosis")
    assert ionto(*new, "--min-hours", "24") == 4 and "at least 48 h" in ionto.err
    assert ionto(*new) == 0 and "0 of 5" in ionto.out and NOTICE in ionto.out
    assert ionto("course", "new", "ANNA", "--preset", "bursitis") == 2 and "looks like a name" in ionto.err
    assert ionto("course", "status", "Anna Smith") == 2
    assert ionto("course", "status", "P-015") == 2 and "ionto course new" in ionto.err
    assert ionto("dose", "new", "d.toml", "--subject", "JOHN", *NEW, "--accept") == 2


def test_the_person_decides_and_the_file_records_both(
    ionto: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked, accepted or given; nobody there and nothing said is a usage error."""
    assert ionto("dose", "new", "d.toml", *NEW) == 2 and "a person has to decide" in ionto.err
    assert "proposed as 2" in ionto.err and not (tmp_path / "d.toml").exists()
    at_terminal(monkeypatch, "1.5\n\n")
    assert ionto("dose", "new", "d.toml", *NEW) == 0 and "decides 2 mA" in ionto.err
    loaded = dosefile.load(tmp_path / "d.toml")
    assert loaded.fields["current_ua"] == 1_500 and float(loaded.therapy["proposed_current_ma"]) == 2
    assert any("IontoDC" in line for line in loaded.therapy["why"])
    at_terminal(monkeypatch, "much\n")
    assert ionto("dose", "new", "d.toml", *NEW, "--force") == 2
    given = ("--subject", "P-2", *NEW, "--current", "3", "--max-density", "0.5", "--sensitivity", "high", "--force")
    assert ionto("dose", "new", "d.toml", *given) == 0 and "more than proposed" in ionto.err
    assert "no course" in ionto.err and dosefile.load(tmp_path / "d.toml").therapy["subject"] == "P-2"


def test_every_page_says_what_it_is(bench_course: Shell, tmp_path: Path, fake: FakeDevice) -> None:
    """Each command of the therapy side, in words and in JSON."""
    ionto, path = bench_course, tmp_path / "logs" / "courses.sqlite"
    (tmp_path / "own").mkdir()
    commands = (
        "presets list",
        "presets show bursitis",
        "presets show iodine",
        "presets screening bursitis",
        "presets check own",
        "dose new d.toml --subject B-1 --area 10 --accept --force",
        "dose check d.toml",
        f"dose push d.toml --course B-1 --screening {ANSWERS} --at 2026-03-02",
        "dose show",
        "course log B-1 --not-run",
        "course new P-2 --preset bursitis",
        "course plan P-2 --sessions 3",
        "course status",
        "course status P-2",
        "course report P-2",
        "course export P-2",
        "course export P-2 --output p2.json",
        "course delete P-2 --yes",
    )
    for command in commands:
        assert ionto(*command.split()) == 0, ionto.err
        assert NOTICE in ionto.out, command
    assert NOTICE in (tmp_path / "p2.json").read_text()
    path.unlink()
    assert ionto("course", "status") == 7 and "missing" in ionto.err and "B-1/1" in ionto.out
    assert ionto("course", "new", "P-3", "--preset", "bursitis") == 7 and "ionto course restore" in ionto.err
    assert NOTICE in ionto.json("course", "restore")["notice"] and ionto("course", "status", "B-1") == 0


@pytest.mark.hazard("HAZ-31")
def test_a_damaged_course_database(bench_course: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading goes on with exit code 7, writing is refused, the backup is offered and works."""
    ionto, path = bench_course, tmp_path / "logs" / "courses.sqlite"
    path.write_bytes(b"rubbish" * 1_000)
    assert ionto("course", "status") == 7 and "ionto course restore" in ionto.err
    assert ionto("course", "new", "P-3", "--preset", "bursitis") == 7 and "reading only" in ionto.err
    assert push(ionto, "2026-03-02 10:00") == 7 and "ionto course restore" in ionto.err
    assert ionto("course", "restore") == 0 and ionto("course", "status", "B-1") == 0
    assert ionto("course", "restore") == 4
    assert next(path.parent.glob("courses.sqlite.damaged-*")).read_bytes() == b"rubbish" * 1_000
    assert cli.main(["course", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["courses"][0]["course"] == "B-1/1"


def test_logs_that_do_not_belong_are_refused(
    bench_course: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of another dose, or recorded before; a lost one can be said to be lost."""
    ionto = bench_course
    assert ionto("course", "log", "B-1", "--reaction", "none") == 4 and "no dose" in ionto.err
    assert push(ionto, "2026-03-02 10:00") == 0
    (tmp_path / "other.ilog").write_bytes(make_log())
    assert ionto("course", "log", "B-1", "--reaction", "none", "--log", "other.ilog") == 4
    assert "another dose" in ionto.err
    assert ionto("course", "log", "B-1", "--reaction", "sneezing") == 2 and "tingling" in ionto.err
    assert ionto("course", "log", "B-1", "--reaction", "none", "--reaction", "pain") == 2
    assert run(ionto, fake, monkeypatch, "none") == 0
    assert push(ionto, "2026-03-05 10:00") == 0
    assert (
        ionto("course", "log", "B-1", "--reaction", "none", "--log", "1") == 4
        and "recorded as a session already" in ionto.err
    )
    assert ionto("course", "log", "B-1", "--reaction", "none", "--without-log") == 0
    assert "at least 1.000" in ionto.out and "unknown" in ionto.out
    assert ionto("course", "log", "B-1", "--session", "9", "--reaction", "none") == 4
    assert ionto("course", "plan", "B-1", "--sessions", "2") == 0 and "done" in ionto.out
    assert push(ionto, "2026-03-09 10:00") == 4 and "2 of 2" in ionto.err


def test_a_person_decides_about_the_reactions(
    bench_course: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked at the terminal, with what was reported during the session as the proposal; the report itself stays."""
    ionto = bench_course
    felt = [{"felt": "stinging", "time_s": 300.0, "current_ma": 2.0, "lowered_to_ma": 1.5}]
    monkeypatch.setattr(fromlog, "comfort", lambda session: felt)
    assert push(ionto, "2026-03-02 10:00") == 0
    assert run(ionto, fake, monkeypatch) == 2 and "propose --reaction stinging: take that with --accept" in ionto.err
    at_terminal(monkeypatch, "\n")
    assert ionto("course", "log", "B-1") == 0 and "In the log: stinging after 5:00 at 2.00 mA" in ionto.err
    assert ionto("course", "log", "B-1", "--session", "1", "--accept", "--reaction", "redness") == 0
    assert ionto.json("course", "status", "B-1")["sessions"][0]["reactions"] == ["redness", "stinging"]
    at_terminal(monkeypatch, "redness, itching\n")
    assert ionto("course", "log", "B-1", "--session", "1") == 0 and "not recorded as a reaction: stinging" in ionto.err
    at_terminal(monkeypatch, "sneezing\n")
    assert ionto("course", "log", "B-1", "--session", "1") == 2 and "tingling" in ionto.err
    kept = ionto.json("course", "status", "B-1")
    assert kept["sessions"][0]["facts"]["comfort"] == felt and any(
        "during session 1" in text for text in kept["warnings"]
    )
    assert ionto("dose", "new", "e.toml", "--subject", "B-1", "--area", "10", "--accept") == 0
    assert "Proposed: 1.5 mA" in ionto.err, "what was reported counts, whatever was recorded after it"


def test_deleting_again_deletes_what_was_left(
    bench_course: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a backup or in a file of answers; with nothing left it says so."""
    ionto, logs = bench_course, tmp_path / "logs"
    assert push(ionto, "2026-03-02 10:00") == 0
    assert ionto("course", "new", "B-11", "--preset", "bursitis") == 0
    (answers_file,) = logs.rglob("screening/*.json")
    kept = {path: path.read_bytes() for path in (answers_file, logs / store.BACKUP)}
    for path, content in kept.items():
        assert ionto("course", "delete", "B-1", "--yes") == 0
        assert ionto("course", "delete", "B-1", "--yes") == 2 and "nothing is kept" in ionto.err
        path.write_bytes(content)
    assert ionto("course", "delete", "B-1", "--yes") == 0 and "Deleted: 0 courses" in ionto.out
    assert ionto("course", "delete", "B-1", "--yes") == 2 and not answers_file.exists()
    assert ionto("course", "status", "B-11") == 0 and (logs / store.BACKUP).is_file()
    answers_file.write_bytes(kept[answers_file].replace(b"B-1", b"B-11"))
    monkeypatch.setattr(store, "WAIT_S", 0.05)
    with closing(sqlite3.connect(logs / store.NAME)) as reader:
        reader.execute("BEGIN IMMEDIATE")
        assert ionto("course", "delete", "B-11", "--yes") == 6 and "in use by another command" in ionto.err
    assert not answers_file.exists(), "answers first: they cannot be left alone"
    assert ionto("course", "delete", "B-11", "--yes") == 0


def test_deleting_asks_first(bench_course: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a no keeps everything."""
    at_terminal(monkeypatch, "n\n")
    assert bench_course("course", "delete", "B-1") == 4 and "export" in bench_course.err
    assert bench_course("course", "status", "B-1") == 0
    assert coursecmd.MAX_SESSIONS >= 10
