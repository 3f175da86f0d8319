"""Courses: codes, planning, intervals, fitting, the database and its backups, calendar and page."""

from __future__ import annotations

import os
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from ionto.limits import for_variant
from ionto_host import library
from ionto_host.course import calendarfile, codes, fit, overview, planner, report, store, svg
from ionto_host.course.fit import Past
from ionto_host.course.planner import Plan
from ionto_host.course.store import Course, NewSession, Push
from ionto_host.errors import CourseDatabaseError, CourseError, CourseFileError, RefusedError, UsageError

LIB = library.built_in()
START = date(2026, 3, 2)
DAYS = st.dates(date(2025, 1, 1), date(2027, 1, 1))
PLANS = st.builds(Plan, DAYS, st.integers(1, 30), st.integers(1, 28), st.integers(0, 24 * 14))
REACTIONS = st.frozensets(st.sampled_from(["tingling", "redness", "stinging", "pain"]))


@pytest.mark.parametrize("code", ["P-014", "S1", "01", "AB-12-C3", "X" * 3 + "-1", "123456789-ABC-01"])
def test_codes(code: str) -> None:
    """What stands for a person."""
    assert codes.subject(code) == code
    assert codes.split(f"{code}/2") == (code, 2)
    assert codes.split(code) == (code, None)


@pytest.mark.parametrize(
    "text",
    ["Anna", "ANNA", "JOHN-SMITH", "MARIA7", "anna-1", "M\u00dcLLER1", "P", "P-", "-P1", "P--1", "P 1", "", "PQ"]
    + ["P-0123456789012345", "P-1/0", "P-1/x", "P-1/", "P-1\n", "../P-1"],
)
def test_what_looks_like_a_name_is_no_code(text: str) -> None:
    """With the rule and the next step."""
    with pytest.raises(UsageError) as caught:
        codes.split(text)
    assert "at least one digit" in caught.value.message and "P-014" in caught.value.action
    assert ("looks like a name" in caught.value.message) == bool(re.search(r"[^\W\d_]{3}", text))


@given(plan=PLANS, done=st.lists(DAYS, max_size=40), today=DAYS)
def test_a_plan_holds_its_number_and_its_spacing(plan: Plan, done: list[date], today: date) -> None:
    """Never in the past, never closer than the interval, never more than planned."""
    ahead = planner.remaining(plan, done, today)
    assert len(ahead) == max(0, plan.sessions - len(done))
    assert all(day >= today for day in ahead)
    least = timedelta(days=max(plan.every_days, 1))
    gaps = [later - earlier for earlier, later in zip(ahead, ahead[1:], strict=False)]
    if done and ahead:
        gaps.append(ahead[0] - max(done))
    assert all(gap >= least and gap >= timedelta(hours=plan.min_interval_h) for gap in gaps)
    assert planner.planned(plan) == planner.remaining(plan, [], plan.start)


@pytest.mark.hazard("HAZ-37")
@given(plan=PLANS, times=st.lists(st.integers(0, 2**31), max_size=8), now_s=st.integers(0, 2**31))
def test_the_interval_is_held_after_every_session(plan: Plan, times: list[int], now_s: int) -> None:
    """A session is allowed only where every one before lies far enough back; the wait is exact."""
    wait = planner.too_soon(plan, times, now_s)
    interval_s = plan.min_interval_h * 3_600
    if wait is None:
        slack_s = 0 if interval_s else planner.CLOCK_SLACK_S
        assert all(time_s + interval_s <= now_s + slack_s for time_s in times)
    elif wait.clock:
        assert max(times) > now_s
    else:
        assert wait.wait_s > 0
        assert planner.too_soon(plan, times, now_s + wait.wait_s) is None
        assert planner.too_soon(plan, times, now_s + wait.wait_s - 1) is not None
        assert planner.earliest_s(plan, times) == now_s + wait.wait_s


@given(history=st.lists(REACTIONS, max_size=6), count=st.integers(1, 3))
def test_a_reaction_repeats_when_each_of_the_last_sessions_had_it(history: list[frozenset[str]], count: int) -> None:
    """And only then."""
    found = planner.repeating(history, count)
    expected = {name for name in history[-1] if all(name in item for item in history[-count:])} if history else set()
    assert set(found) == (expected if len(history) >= count else set())


PASTS = st.lists(
    st.builds(
        Past,
        st.integers(1, 40).map(lambda tenths: Decimal(tenths) / 10),
        REACTIONS,
        st.none() | st.integers(1, 40).map(lambda tenths: Decimal(tenths) / 10),
    ),
    max_size=4,
)
PRESETS = st.sampled_from([item for item in LIB.presets() if item.drug.pole in "+-"])
AREAS = st.integers(10, 2_000).map(lambda tenths: Decimal(tenths) / 10)


@pytest.mark.hazard("HAZ-37")
@given(preset=PRESETS, area=AREAS, sensitivity=st.sampled_from(fit.SENSITIVITIES), past=PASTS)
def test_a_proposal_lies_inside_every_limit(
    preset: library.Preset, area: Decimal, sensitivity: str, past: list[Past]
) -> None:
    """Density, current, dose and time; lower after a reaction; never above what the contact allowed, and no leap."""
    limits = for_variant(preset.regime.variant)
    try:
        proposal = fit.propose(preset, LIB, area, sensitivity, past)
    except RefusedError as error:
        assert "no current fits" in error.message and error.action
        return
    assert limits.min_current_ua <= proposal.current_ma * 1_000 <= limits.max_current_ua
    assert proposal.current_ma / area <= preset.regime.ceiling("density_ma_cm2")
    assert proposal.current_ma <= preset.regime.start("current_ma")
    assert limits.min_dose_uc <= proposal.dose_ma_min * 60_000 <= limits.max_dose_uc
    assert proposal.minutes <= preset.regime.ceiling("minutes")
    assert sum("decides" in line for line in proposal.why) >= 1 and len(proposal.why) >= 3
    if past:
        last = past[-1]
        assert proposal.current_ma <= last.current_ma * Decimal("1.25")
        assert last.contact_ma is None or proposal.current_ma <= last.contact_ma
        if last.reactions & {"stinging", "pain"}:
            assert proposal.current_ma <= last.current_ma * Decimal("0.75")


@pytest.mark.hazard("HAZ-37")
def test_what_was_reported_during_a_session_lowers_the_next(tmp_path: Path) -> None:
    """Also when no reaction was recorded: from the current at which it was felt, never above the lowered one."""
    comfort = [
        {"felt": "stinging", "time_s": 300.0, "current_ma": 2.0, "lowered_to_ma": 1.5},
        {"felt": "stinging", "time_s": 492.0, "current_ma": 1.5, "lowered_to_ma": None},
        {"felt": "tingling", "time_s": 500.0, "current_ma": 0.2, "lowered_to_ma": None},
    ]
    with store.opened(tmp_path / "courses.sqlite") as db:
        course = begun(db)
        held(db, course, 0, facts={"comfort": comfort[:1], "lowered_to_ma": 1.5})
        once = overview.past(db.sessions(course), course.preset, LIB)
        held(db, course, 1, facts={"comfort": comfort, "lowered_to_ma": 1.5})
        sessions = db.sessions(course)
    preset = LIB.preset("plantar-fasciitis")
    first = fit.propose(preset, LIB, Decimal(10), "normal", once)
    assert first.current_ma == Decimal("1.5") and "comfort report lowered it to 1.5 mA" in "\n".join(first.why)
    again = fit.propose(preset, LIB, Decimal(10), "normal", overview.past(sessions, course.preset, LIB))
    assert again.current_ma == Decimal("0.7") and "of the current it was felt at, 1.5 mA" in "\n".join(again.why)
    view = overview.look(course, sessions, sessions, None, LIB, 1_800_000_000)
    assert view.repeating == ("stinging",)
    assert any(
        "session 2: stinging after 5:00 at 2.00 mA, lowered to 1.50 mA; stinging after 8:12" in x for x in view.warnings
    )
    page = report.render(course, sessions, view, LIB, {}, datetime(2026, 4, 1))
    assert page.count('<p class="felt">') == 4 and page.count("<title>stinging") == 3


@pytest.mark.parametrize("at_ma", [0.0, 0.001, 0.04])
def test_what_was_reported_in_a_pause_counts_from_the_current_of_the_session(tmp_path: Path, at_ma: float) -> None:
    """No current flowed then: three quarters of nothing would fit no electrode."""
    comfort = [{"felt": "stinging", "time_s": 300.0, "current_ma": at_ma, "lowered_to_ma": None}]
    with store.opened(tmp_path / "courses.sqlite") as db:
        course = begun(db)
        held(db, course, 0, facts={"comfort": comfort, "lowered_to_ma": None})
        past = overview.past(db.sessions(course), course.preset, LIB)
    proposal = fit.propose(LIB.preset("plantar-fasciitis"), LIB, Decimal(10), "normal", past)
    assert proposal.current_ma == past[0].current_ma * Decimal("0.75")


@pytest.mark.hazard("HAZ-37")
@pytest.mark.parametrize("injury", ["burn", "blister", "allergic"])
def test_no_proposal_after_an_injury(injury: str) -> None:
    """A person has to look first."""
    past = [Past(Decimal(1), frozenset({injury, "redness"}))]
    with pytest.raises(RefusedError, match="no proposal"):
        fit.propose(LIB.preset("bursitis"), LIB, Decimal(10), "normal", past)


@pytest.mark.hazard("HAZ-37")
def test_sessions_of_another_preset_count_and_undo_nothing(tmp_path: Path) -> None:
    """The last at the site bounds a proposal whatever its drug; the last of the drug does so whatever came after."""
    calm, burnt = Past(Decimal(4), frozenset(), same_preset=False), Past(Decimal(1), frozenset({"burn"}))
    preset, stung = LIB.preset("plantar-fasciitis"), Past(Decimal(2), frozenset({"stinging"}))
    for past in ([burnt, calm], [calm, replace(burnt, same_preset=False)]):
        with pytest.raises(RefusedError, match="no proposal"):
            fit.propose(preset, LIB, Decimal(10), "normal", past)
    for past, most in (
        ([replace(stung, same_preset=False)], "1.5"),
        ([stung, calm], "1.5"),
        ([stung, calm, stung], "1.0"),
        ([stung, replace(calm, contact_ma=Decimal("0.7"))], "0.7"),
        ([stung], "1.5"),
    ):
        found = fit.propose(preset, LIB, Decimal(10), "normal", past)
        assert found.current_ma == Decimal(most) and len(set(found.why)) == len(found.why)
    with store.opened(tmp_path / "courses.sqlite") as db:
        first = begun(db)
        held(db, first, 0, "burn")
        second = db.add_course(replace(first, preset="plantar-fasciitis/lidocaine"))
        held(db, second, 1)
        at_site = db.sessions_at("P-014", "heel")
        assert [item.preset for item in at_site] == [first.preset, second.preset]
        for course, stops in ((first, ("burn",)), (second, ())):
            view = overview.look(course, db.sessions(course), at_site, None, LIB, 1_800_000_000)
            assert view.stopped_by == stops and view.done == 1
            assert view.next_s == at_site[1].time_s + 48 * 3_600


def test_a_proposal_says_why() -> None:
    """Each bound with its source; what decides is marked."""
    past = [Past(Decimal(2), frozenset({"stinging"})), Past(Decimal(2), frozenset({"stinging"}), Decimal("1.2"))]
    proposal = fit.propose(LIB.preset("plantar-fasciitis"), LIB, Decimal(10), "high", past)
    assert proposal.current_ma == Decimal("1.0") and proposal.dose_ma_min == Decimal("19.5")
    text = "\n".join(proposal.why)
    for said in ("IontoDC", "10 cm2", "sensitive", "twice in a row", "contact allowed 1.2 mA", "as much as 20 min"):
        assert said in text


# The database ----------------------------------------------------------------------------------------------------

DOSE = {"current_ua": 2_000, "dose_uc": 2_340_000}
FACTS = {"outcome": "complete", "dose_delivered_ma_min": 39.0, "dose_prescribed_ma_min": 39.0, "at_least": False}
SERIES = {"min": [0.0, 10.0, 20.0], "ma": [0.0, 2.0, 0.0], "v": [0.0, 4.0, 0.0], "ma_min": [0.0, 20.0, 39.0]}


def begun(db: store.Store, subject: str = "P-014", site: str = "heel") -> Course:
    """Return a new course of six sessions."""
    plan = Plan(START, 6, 3, 48)
    return db.add_course(Course(subject, 0, "plantar-fasciitis/dexamethasone", site, "normal", plan, False, 1))


def held(db: store.Store, course: Course, number: int, *reactions: str, facts: dict[str, object] | None = None) -> None:
    """Record a session of `course` on its planned day."""
    time_s = int(datetime(2026, 3, 2, 10).timestamp()) + number * 3 * 86_400
    push = db.add_push(course, Push(0, time_s, "board", "d" * 64, DOSE, {"answers": {}}, store.OPEN))
    kept = {**FACTS, **(facts or {})}
    db.add_session(NewSession(push, time_s, reactions or ("none",), "", "x.ilog", f"{push:064d}", kept, SERIES))


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    """Courses by subject and number, pushes, sessions, reactions corrected later."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        first, second = begun(db), begun(db, site="elbow")
        assert (first.id, second.id) == ("P-014/1", "P-014/2")
        held(db, first, 0)
        held(db, first, 1, "tingling", "redness")
        db.change_plan(first, Plan(START, 8, 4, 48))
    with store.opened(path) as db:
        assert db.course("P-014", 1).plan.sessions == 8
        with pytest.raises(UsageError, match="several courses"):
            db.course("P-014", None)
        one, two = db.sessions(first)
        assert one.facts == FACTS and one.series == SERIES and two.reactions == ("tingling", "redness")
        db.change_reactions(two.id, ("blister",), "came later")
        assert db.sessions(first)[1].reactions == ("blister",)
        assert db.open_push(first) is None and len(db.times_s("P-014", "heel")) == 2
        assert db.times_s("P-014", "elbow") == []


def test_a_subject_is_deleted_everywhere(tmp_path: Path) -> None:
    """From the database and its backups; others stay."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        held(db, begun(db, "P-014", "secret site"), 0)
        held(db, begun(db, "P-015"), 0)
        (tmp_path / "courses.backup.sqlite.7-7.part").write_text("P-014, of a backup that was killed")
        assert db.delete_subject("P-014") == 1
        assert [item.subject for item in db.courses()] == ["P-015"]
    files = list(tmp_path.iterdir())
    assert len(files) == 2 and all(b"P-014" not in item.read_bytes() for item in files)
    assert all(b"secret site" not in item.read_bytes() and b"P-015" in item.read_bytes() for item in files)


def test_a_deletion_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another command reads, or a backup does not let itself be deleted: everything is as it was, and told."""
    path = tmp_path / "courses.sqlite"
    monkeypatch.setattr(store, "WAIT_S", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader, store.opened(path) as db:
        held(db, begun(db, "P-014"), 0)
        held(db, begun(db, "P-015"), 0)
        before = {item.name: item.read_bytes() for item in store.backups(path)}
        reading = reader.execute("SELECT * FROM courses")
        reading.fetchone()
        with pytest.raises(CourseFileError, match="in use by another command"):
            db.delete_subject("P-014")
        reading.close()
        assert {item.name: item.read_bytes() for item in store.backups(path)} == before and len(before) == 2
        (tmp_path / "courses.backup-stuck.sqlite").mkdir()
        with pytest.raises(CourseFileError, match="cannot be deleted"):
            db.delete_subject("P-014")
        with store.opened(path.with_name(store.BACKUP)) as copy:
            assert [item.subject for item in copy.courses()] == ["P-014", "P-015"] == [c.subject for c in db.courses()]
        (tmp_path / "courses.backup-stuck.sqlite").rmdir()
        assert db.delete_subject("P-014") == 1 and not db.in_backups("P-014") and db.in_backups("P-015")


def test_a_migration_keeps_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old schema stays beside the new one; a newer one than known is not opened."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        begun(db)
    monkeypatch.setattr(store, "MIGRATIONS", (*store.MIGRATIONS, "ALTER TABLE courses ADD COLUMN more TEXT;"))
    with store.opened(path) as db:
        assert [item.id for item in db.courses()] == ["P-014/1"]
    old = sqlite3.connect(tmp_path / "courses.backup-schema1.sqlite")
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    assert old.execute("SELECT count(*) FROM courses").fetchone() == (1,)
    old.close()
    monkeypatch.undo()
    with pytest.raises(CourseDatabaseError, match="schema 2"), store.opened(path):
        pass


@pytest.mark.parametrize("how", ["garbage", "hole"])
def test_a_damaged_database_is_not_written_and_can_be_restored(tmp_path: Path, how: str) -> None:
    """It opens for reading only; the backup has everything; the damaged file is kept."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        course = begun(db)
        for number in range(6):
            held(db, course, number)
    data = path.read_bytes()
    path.write_bytes(b"no database at all" * 500 if how == "garbage" else data[:4096] + bytes(12_288) + data[16_384:])
    damaged = path.read_bytes()
    with pytest.raises(CourseDatabaseError, match="damaged"), store.opened(path):
        pass
    with store.opened(path, even_damaged=True) as db:
        assert db.damage
        db.courses()
        with pytest.raises(CourseDatabaseError, match="reading only") as caught:
            begun(db, "P-99")
        assert "ionto course restore" in caught.value.action
    assert path.read_bytes() == damaged
    used, kept = store.restore(path)
    assert used.name == store.BACKUP and kept.read_bytes() == damaged
    with store.opened(path) as db:
        assert not db.damage and len(db.sessions(course)) == 6
    with pytest.raises(CourseError, match="sound"):
        store.restore(path)


@pytest.mark.hazard("HAZ-31")
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_lost_database_is_not_begun_anew_over_its_backups(tmp_path: Path, how: str) -> None:
    """Nothing is written; the newest backup is shown and can be put in place."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        course = begun(db)
        held(db, course, 0)
    path.unlink() if how == "missing" else path.write_bytes(b"")
    before = {item.name: item.read_bytes() for item in store.backups(path)}
    with pytest.raises(CourseDatabaseError, match="missing or empty") as caught, store.opened(path):
        pass
    assert "ionto course restore" in caught.value.action
    with store.opened(path, even_damaged=True) as db:
        assert db.damage and len(db.sessions(course)) == 1
        with pytest.raises(CourseDatabaseError):
            begun(db, "P-99")
    assert {item.name: item.read_bytes() for item in store.backups(path)} == before
    _, kept = store.restore(path)
    assert (kept is None) == (how == "missing")
    with store.opened(path) as db:
        assert not db.damage and len(db.sessions(course)) == 1


@pytest.mark.parametrize("column", ["reactions", "facts", "series", "note"])
def test_rubbish_inside_a_row_is_damage(tmp_path: Path, column: str) -> None:
    """SQLite finds nothing wrong with it; the rest is still read."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        course = begun(db)
        held(db, course, 0)
        held(db, course, 1)
    raw = sqlite3.connect(path)
    raw.execute(f"UPDATE sessions SET {column} = ? WHERE id = 1", (b"{",))
    raw.commit()
    raw.close()
    with pytest.raises(CourseDatabaseError, match="row 1 of sessions"), store.opened(path):
        pass
    with store.opened(path, even_damaged=True) as db:
        assert db.damage and len(db.sessions(course)) == 1
    store.restore(path)
    with store.opened(path) as db:
        assert len(db.sessions(course)) == 2


def test_without_a_good_backup_nothing_is_replaced(tmp_path: Path) -> None:
    """The damaged file stays where it is."""
    path = tmp_path / "courses.sqlite"
    path.write_bytes(b"broken" * 1_000)
    with pytest.raises(CourseError, match="no good backup"):
        store.restore(path)
    assert path.read_bytes() == b"broken" * 1_000


@pytest.mark.hazard("HAZ-31")
def test_the_newest_backup_is_known_by_its_name(tmp_path: Path) -> None:
    """A folder that was copied has new times on its files, in any order: the last write must come back."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        course = begun(db)
        held(db, course, 0)
    os.utime(path.with_name(store.BACKUP), (0, 0))
    path.write_bytes(b"")
    used, _ = store.restore(path)
    assert used.name == store.BACKUP
    with store.opened(path) as db:
        assert len(db.sessions(course)) == 1


@pytest.mark.hazard("HAZ-31")
def test_many_commands_write_at_once(tmp_path: Path) -> None:
    """Each gets through, from the first one that makes the file on; nothing is called damaged; the backup is whole."""
    path = tmp_path / "courses.sqlite"

    def write(number: int) -> None:
        for part in range(4):
            with store.opened(path) as db:
                begun(db, f"P-{number}{part}")

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(write, range(5)))
    for name in (path, path.with_name(store.BACKUP)):
        with store.opened(name) as db:
            assert len(db.courses()) == 20


def test_a_database_in_use_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing wait for the other command, then say so; a restore is not the next step."""
    path = tmp_path / "courses.sqlite"
    monkeypatch.setattr(store, "WAIT_S", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, store.opened(path) as db:
        course = begun(db)
        other.execute("BEGIN EXCLUSIVE")
        for refused in (lambda: begun(db, "P-99"), db.courses, lambda: store.opened(path).__enter__()):
            with pytest.raises(CourseFileError, match="in use by another command") as caught:
                refused()
            assert "restore" not in caught.value.action
        other.execute("ROLLBACK")
        assert db.courses() == [course]


def test_a_place_that_cannot_hold_a_database_is_no_defect(tmp_path: Path) -> None:
    """A folder that may not be written, here one with the name of the file: a problem of files, with a next step."""
    (tmp_path / "courses.sqlite").mkdir()
    with pytest.raises(CourseFileError, match="unable to open") as caught, store.opened(tmp_path / "courses.sqlite"):
        pass
    assert "rights of the folder" in caught.value.action


def test_a_disk_that_fails_is_not_called_damage(tmp_path: Path) -> None:
    """Neither when the database is read nor when it is opened."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        begun(db)
        (tmp_path / "courses.sqlite-journal").mkdir()  # SQLite cannot read what it takes for its journal
        for refused in (lambda: begun(db, "P-99"), db.courses, lambda: store.opened(path).__enter__()):
            with pytest.raises(CourseFileError, match="disk I/O error"):
                refused()


def test_two_courses_begun_at_once_have_two_numbers(tmp_path: Path) -> None:
    """The second waits for the first before it counts."""
    path = tmp_path / "courses.sqlite"
    with store.opened(path) as db:
        begun(db, "P-1")

    def begin() -> str:
        with store.opened(path) as db:
            return begun(db, "P-1").id

    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN IMMEDIATE")
        second = pool.submit(begin)
        wait([second], 0.3)
        other.execute("UPDATE courses SET number = 2")
        other.execute("COMMIT")
        assert second.result() == "P-1/3"


@pytest.mark.hazard("HAZ-37")
def test_what_is_recorded_for_a_course_deleted_meanwhile_is_refused(tmp_path: Path) -> None:
    """With that cause: a push, a session, a reaction that came later."""
    path = tmp_path / "courses.sqlite"
    push = Push(0, 1_770_000_000, "board", "d" * 64, DOSE, {}, store.OPEN)
    with store.opened(path) as one, store.opened(path) as two:
        course = begun(one)
        held(one, course, 0)
        number, session = one.add_push(course, push), one.sessions(course)[0].id
        two.delete_subject(course.subject)
        for refused in (
            lambda: one.add_push(course, push),
            lambda: one.add_session(NewSession(number, push.time_s, ("none",))),
            lambda: one.change_reactions(session, ("burn",), ""),
        ):
            with pytest.raises(CourseError, match="deleted this course meanwhile"):
                refused()


@pytest.mark.hazard("HAZ-37")
def test_two_pushes_at_once_are_one(tmp_path: Path) -> None:
    """Both commands saw that no dose was pushed; the second to write is refused, and so is a second record."""
    path = tmp_path / "courses.sqlite"
    push = Push(0, 1_770_000_000, "board", "d" * 64, DOSE, {}, store.OPEN)
    with store.opened(path) as one, store.opened(path) as two:
        course = begun(one)
        number = one.add_push(course, push)
        for again in (course, begun(two)):  # a new course at the site is no way round it
            with pytest.raises(CourseError, match="another dose was pushed"):
                two.add_push(again, push)
        assert two.add_push(begun(two, site="elbow"), push)
        assert len(one.pushes(course)) == 1
        one.add_session(NewSession(number, push.time_s, ("none",)))
        with pytest.raises(CourseError, match="another command recorded"):
            two.add_session(NewSession(number, push.time_s, ("burn",)))
        assert [item.reactions for item in two.sessions(course)] == [("none",)]


# Overview, calendar, page ----------------------------------------------------------------------------------------


@pytest.mark.hazard("HAZ-37")
def test_repeating_and_grave_reactions_are_warned_of(tmp_path: Path) -> None:
    """And what is known of the dose is added up, at least."""
    with store.opened(tmp_path / "courses.sqlite") as db:
        course = begun(db)
        held(db, course, 0, "redness")
        held(db, course, 1, "redness", "burn", facts={"dose_delivered_ma_min": 12.5, "at_least": True})
        sessions = db.sessions(course)
    view = overview.look(course, sessions, sessions, None, LIB, 1_800_000_000)
    assert view.repeating == ("redness",) and view.stopped_by == ("burn",)
    assert view.delivered_ma_min == 51.5 and view.at_least and view.done == 2 and len(view.ahead) == 4
    assert any("redness came back" in text for text in view.warnings)


def test_the_calendar_is_read_back_by_the_library(tmp_path: Path) -> None:
    """All-day events, one for each session ahead, stable ids, no name, the notice."""
    with store.opened(tmp_path / "courses.sqlite") as db:
        course = begun(db, site="heel; left, \u00e9")
    days = planner.remaining(course.plan, [], START)
    now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    data = calendarfile.write(course, days[2:], 2, now)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    events = Calendar.from_ical(data).walk("VEVENT")
    assert [event.decoded("dtstart") for event in events] == days[2:]
    assert [str(event["uid"]) for event in events] == [f"P-014-1-{number}@iontopico" for number in (3, 4, 5, 6)]
    assert str(events[0]["location"]) == "heel; left, \u00e9"
    assert all("not a cleared medical device" in str(event["description"]) for event in events)
    assert calendarfile.write(course, days[2:], 2, now) == data


def test_the_page_tells_of_every_session_and_nothing_runs_in_it(tmp_path: Path) -> None:
    """Text is escaped, pictures are inline, the notice stands above, below and on every sheet of paper."""
    with store.opened(tmp_path / "courses.sqlite") as db:
        course = begun(db, site="<script>alert(1)</script>")
        for number, reactions in enumerate((("none",), ("tingling",), ("pain", "redness"))):
            held(db, course, number, *reactions)
        held(db, course, 3, facts=dict.fromkeys(FACTS))
        sessions = db.sessions(course)
    view = overview.look(course, sessions, sessions, None, LIB, 1_800_000_000)
    sites = {"<b>": [(item.day, 39.0) for item in sessions]}
    page = report.render(course, sessions, view, LIB, sites, datetime(2026, 4, 1))
    assert "<script" not in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert page.count("not a cleared medical device") == 3 and page.count("<article") == 4
    assert page.count("<svg") == 6 and "4 of 6" in page
    assert "the careful default" in page and "IontoDC" in page and "2026-03-02 10:00" in page
    empty = report.render(course, [], overview.look(course, [], [], None, LIB, 1), LIB, {}, datetime(2026, 4, 1))
    assert "0 of 6" in empty and "<article" not in empty


@given(value=st.floats(0, 1e6))
def test_an_axis_ends_at_a_round_number_that_holds_the_value(value: float) -> None:
    """And not far above it."""
    end = svg.nice_end(value)
    assert end >= value * 0.999 and (value < 1e-9 or end <= 2.6 * value)
