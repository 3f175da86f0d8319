"""Commands about courses: sessions of one subject code over weeks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from ionto.dose import MAX_TEXT
from ionto_host import library
from ionto_host.cli import completing
from ionto_host.cli.common import Answer, IontoGroup, examples, note, plain_data, table
from ionto_host.cli.output import force, output, put
from ionto_host.cli.reactions import Decision, known_reactions
from ionto_host.course import codes, fit, overview, report, store
from ionto_host.course.overview import Overview
from ionto_host.course.planner import Plan
from ionto_host.course.store import Course, NewSession, Recorded, Store
from ionto_host.dose import screening
from ionto_host.errors import CourseDatabaseError, CourseError, ExitCode, RefusedError, UsageError
from ionto_host.library.model import Library
from ionto_host.logs import store as logstore
from ionto_host.notice import NOTICE
from ionto_host.outfile import shown
from ionto_host.units import clock, ma, printable

_DAY = click.DateTime(["%Y-%m-%d"])
_COURSE = click.argument("course", metavar="COURSE")
MAX_SESSIONS, MAX_DAYS, MAX_HOURS = 100, 366, 24 * 60


@click.group(cls=IontoGroup)
def course() -> None:
    """Courses: sessions of one subject code over weeks, planned, watched and reported.

    For bench work, teaching and research; not a cleared medical device. A person is a code such as P-014, never a name.
    COURSE is the code, or P-014/2 where a code has several courses.
    """


@contextmanager
def _reading() -> Iterator[Store]:
    """Yield the database for a command that only reads: also a damaged one, which is said."""
    with store.opened(even_damaged=True) as db:
        if db.damage:
            note(f"WARNING: {db.path} is opened for reading only: {db.damage}")
            note("What can be read follows. `ionto course restore` puts the last good backup in place.")
        yield db


def _code(db: Store) -> ExitCode:
    return ExitCode.INTEGRITY if db.damage else ExitCode.OK


@course.command("new")
@click.argument("subject", metavar="SUBJECT")
@click.option(
    "--preset",
    required=True,
    shell_complete=completing.presets,
    help="Condition and drug, as `ionto presets list` shows them.",
)
@click.option("--site", help="Where on the body. Default: of the preset.")
@click.option("--sessions", type=click.IntRange(1, MAX_SESSIONS), help="Planned number. Default: of the preset.")
@click.option("--every-days", type=click.IntRange(1, MAX_DAYS), help="Planned spacing. Default: of the preset.")
@click.option("--min-hours", type=click.IntRange(0, MAX_HOURS), help="Least time between two. Default: of the preset.")
@click.option("--start", type=_DAY, help="Day of the first session. Default: today.")
@click.option("--sensitivity", type=click.Choice(fit.SENSITIVITIES), default="normal", show_default=True)
@click.option("--bench", is_flag=True, help="Played on loads, nobody connected: dates may be given, intervals be 0.")
def course_new(subject: str, preset: str, site: str | None, sensitivity: str, bench: bool, **plan: Any) -> Answer:
    """Begin a course of the code SUBJECT: A-Z, 0-9 and hyphens, with a digit, and no name."""
    code = codes.subject(subject)
    lib = library.load()
    chosen = lib.preset(preset)
    where = chosen.condition.site if site is None else site
    if not 0 < len(where) <= MAX_TEXT or not where.isprintable():
        raise UsageError(f"--site has 1 to {MAX_TEXT} printable characters, as the dose names it")
    made = _plan(chosen, plan, bench)
    wanted = Course(code, 0, chosen.id, where, sensitivity, made, bench, int(time.time()))
    with store.opened() as db:
        kept = db.add_course(wanted)
        view = _view(db, kept, lib)
    text = f"Course {kept.id} is begun.\n{_course_text(kept, view, [], lib)}"
    return Answer({"notice": NOTICE, **overview.as_data(kept, view)}, text)


def _plan(preset: library.Preset, given: dict[str, Any], bench: bool) -> Plan:
    """Return the plan: what is given, else the preset's careful figures; only a bench course has a shorter interval."""
    regime = preset.regime
    interval = regime.careful("interval_days")
    least_h = int((interval.low or interval.high or 1) * 24)
    hours = least_h if given["min_hours"] is None else given["min_hours"]
    if hours < least_h and not bench:
        raise CourseError(
            f"min_interval_h is {hours} h, the preset {preset.id} has at least {least_h} h",
            "Give more hours; only a course played on loads (--bench) may have fewer.",
            field="min_interval_h",
        )
    every = given["every_days"] or int(interval.high or 1)
    sessions = given["sessions"] or int(regime.start("sessions"))
    start = given["start"].date() if given["start"] else date.today()
    return Plan(start, sessions, every, hours)


@course.command("plan")
@_COURSE
@click.option("--sessions", type=click.IntRange(1, MAX_SESSIONS), help="Change the planned number.")
@click.option("--every-days", type=click.IntRange(1, MAX_DAYS), help="Change the spacing.")
@click.option("--start", type=_DAY, help="Change the day of the first session.")
@output("--ics", help="Write the sessions ahead as a calendar file.")
@force
def course_plan(course: str, sessions: int | None, every_days: int | None, start: Any, ics: Path | None) -> Answer:
    """Show when the next sessions are, change the plan, export it as a calendar."""
    lib = library.load()
    changes = {"sessions": sessions, "every_days": every_days, "start": start and start.date()}
    changed = {key: value for key, value in changes.items() if value is not None}
    with _reading() as db:
        kept = db.course(*codes.split(course))
        if changed:
            kept = db.change_plan(kept, replace(kept.plan, **changed))
        view = _view(db, kept, lib)
        code = _code(db)
    if ics:
        from ionto_host.course import calendarfile

        put(ics, calendarfile.write(kept, list(view.ahead), view.done), "calendar")
    days = [[str(number), f"{day:%a %Y-%m-%d}"] for number, day in enumerate(view.ahead, view.done + 1)]
    text = table(days, ["session", "day"]) if days else "Every planned session is done."
    return Answer({"notice": NOTICE, **overview.as_data(kept, view), "ics": ics}, f"{text}\n\n{NOTICE}", code)


@course.command("status")
@click.argument("course", metavar="[COURSE]", required=False)
def course_status(course: str | None) -> Answer:
    """Show a course: done against plan, dose, reactions, warnings; or list all courses."""
    lib = library.load()
    with _reading() as db:
        if course is None:
            return _listed(db, lib)
        kept = db.course(*codes.split(course))
        sessions, view = db.sessions(kept), _view(db, kept, lib)
        data = {
            "notice": NOTICE,
            **overview.as_data(kept, view),
            "sessions": [_session_data(item) for item in sessions],
        }
        return Answer(data, _course_text(kept, view, sessions, lib), _code(db))


def _listed(db: Store, lib: Library) -> Answer:
    views = [(item, _view(db, item, lib)) for item in db.courses()]
    rows = [
        [
            item.id,
            item.preset,
            item.site,
            f"{view.done} of {item.plan.sessions}",
            _next_day(view),
            str(len(view.warnings)),
        ]
        for item, view in views
    ]
    text = table(rows, ["course", "preset", "site", "done", "next", "warnings"]) if rows else "No courses yet."
    if db.damage and not rows:
        text = "No course can be read."
    data = [overview.as_data(item, view) for item, view in views]
    return Answer({"notice": NOTICE, "courses": data, "damage": db.damage}, f"{text}\n\n{NOTICE}", _code(db))


def _next_day(view: Overview) -> str:
    return str(view.ahead[0]) if view.ahead else "-"


def _view(db: Store, kept: Course, lib: Library) -> Overview:
    at_site = db.sessions_at(kept.subject, kept.site)
    return overview.look(kept, db.sessions(kept), at_site, db.open_push(kept), lib, int(time.time()))


def _course_text(kept: Course, view: Overview, sessions: list[Recorded], lib: Library) -> str:
    least = "at least " if view.at_least else ""
    ahead = "every planned session is done" if not view.ahead else f"next {view.ahead[0]:%a %Y-%m-%d}"
    if view.ahead and view.next_s:
        ahead += f", not before {datetime.fromtimestamp(view.next_s):%Y-%m-%d %H:%M}"
    rows = [
        ["course", kept.id + (", played on loads" if kept.bench else "")],
        ["preset", f"{kept.preset}, {kept.site}"],
        ["done", f"{view.done} of {kept.plan.sessions}, {ahead}"],
        ["dose", f"{least}{view.delivered_ma_min:.3f} mA*min in all"],
        ["plan", f"every {kept.plan.spacing_days} days, never under {kept.plan.min_interval_h} h"],
    ]
    lines = [f"{name:<8} {value}" for name, value in rows]
    if sessions:
        body = [_session_row(number, item, lib) for number, item in enumerate(sessions, 1)]
        lines += ["", table(body, ["", "begun", "outcome", "mA", "mA*min", "of", "time", "reactions", "note"])]
    lines += ["", *(f"WARNING: {text}" for text in view.warnings)] if view.warnings else []
    return "\n".join([*lines, "", NOTICE])


def _session_row(number: int, item: Recorded, lib: Library) -> list[str]:
    facts = item.facts
    given, wanted, lasted = (
        facts.get(key) for key in ("dose_delivered_ma_min", "dose_prescribed_ma_min", "duration_s")
    )
    return [
        str(number),
        f"{datetime.fromtimestamp(item.time_s):%Y-%m-%d %H:%M}",
        str(facts.get("outcome", "unknown")),
        f"{ma(int(item.push.dose['current_ua'])):g}",
        "unknown" if given is None else f"{'>= ' if facts.get('at_least') else ''}{given:.3f}",
        "-" if wanted is None else f"{wanted:g}",
        "-" if lasted is None else clock(lasted),
        overview.names(item.reactions, lib),
        printable(item.note),
    ]


def _session_data(item: Recorded) -> dict[str, Any]:
    return {
        "time": datetime.fromtimestamp(item.time_s).isoformat(timespec="minutes"),
        "digest": item.push.digest,
        "current_ma": ma(int(item.push.dose["current_ua"])),
        "facts": item.facts,
        "reactions": list(item.reactions),
        "note": item.note,
        "log": item.log_path,
    }


@course.command("log")
@_COURSE
@click.option("--reaction", "reactions", multiple=True, help="What was felt or seen, none included; may be repeated.")
@click.option("--accept", is_flag=True, help="Take what the comfort reports in the log propose; --reaction adds to it.")
@click.option("--note", "remark", default="", help="A remark; no names.")
@click.option("--log", "log_name", metavar="ID|FILE", help="The pulled log. Default: the newest of the dose pushed.")
@click.option("--without-log", is_flag=True, help="The session ran and its log is lost: how much flowed is unknown.")
@click.option("--not-run", is_flag=True, help="The dose that was pushed never began.")
@click.option("--session", type=click.IntRange(1), help="Correct the reactions of this session instead.")
def course_log(course: str, remark: str, session: int | None, **how: Any) -> Answer:
    """Record the session of the dose that was pushed last: its pulled log, and the reactions after it.

    What was reported with `ionto comfort`, or by a long press of START, is in the log and proposed as a reaction: you
    decide, at the terminal, with --reaction or with --accept. The reports are kept whatever you decide.
    """
    lib = library.load()
    if sum(bool(item) for item in (session, how["log_name"], how["without_log"], how["not_run"])) > 1:
        raise UsageError("--log, --without-log, --not-run and --session exclude each other", "Give one of them.")
    given = known_reactions(how["reactions"], lib)
    if not remark.isprintable():
        raise UsageError("--note has printable characters, in one line")
    with store.opened() as db:
        kept = db.course(*codes.split(course))
        decide = Decision(lib, given, how["accept"])
        if session:
            _correct(db, kept, session, decide, remark)
        else:
            _record(db, kept, decide, remark, how)
        view, sessions = _view(db, kept, lib), db.sessions(kept)
    data = {"notice": NOTICE, **overview.as_data(kept, view)}
    return Answer(data, _course_text(kept, view, sessions, lib))


def _correct(db: Store, kept: Course, number: int, decide: Decision, remark: str) -> None:
    sessions = db.sessions(kept)
    if number > len(sessions):
        raise CourseError(f"{kept.id} has {len(sessions)} sessions, no session {number}")
    item = sessions[number - 1]
    db.change_reactions(item.id, decide.on(item.facts), remark or item.note)


def _record(db: Store, kept: Course, decide: Decision, remark: str, how: dict[str, Any]) -> None:
    push = db.open_push(kept)
    if push is None:
        if how["log_name"]:
            _named_log(db, how["log_name"])  # its own refusal says more: recorded already, damaged, not there
        raise CourseError(
            f"no dose of {kept.id} waits for its session to be recorded",
            f"Push one with `ionto dose push FILE --course {kept.id}`; correct an earlier one with --session N.",
        )
    if how["not_run"]:
        db.set_state(push.id, store.NOT_RUN)
        return
    if how["without_log"]:
        db.add_session(NewSession(push.id, push.time_s, decide.on({}), remark))
        return
    log = _found_log(db, push.digest, how["log_name"])
    began_s = push.time_s if kept.bench or log.time_s is None else max(push.time_s, log.time_s)
    felt = decide.on(log.facts)
    new = NewSession(push.id, began_s, felt, remark, str(log.path), log.sha256, log.facts, log.series)
    db.add_session(new)


def _found_log(db: Store, digest: str, name: str | None) -> Any:
    if name is None:
        from ionto_host.course import fromlog

        found = fromlog.candidates(digest, db.known_logs())
        if not found:
            raise CourseError(
                f"no pulled log holds the dose that was pushed, {digest[:16]}",
                "`ionto logs pull` fetches it; --log FILE names one, --without-log and --not-run say there is none.",
            )
        return found[0]
    log = _named_log(db, name)
    if log.digest != digest:
        raise RefusedError(
            f"{log.path} is the log of another dose: digest {log.digest[:16]}, pushed was {digest[:16]}",
            "`ionto logs list` shows the pulled logs.",
        )
    return log


def _named_log(db: Store, name: str) -> Any:
    from ionto_host.course import fromlog

    log = fromlog.read(logstore.find(name))
    if log.sha256 in db.known_logs():
        action = "Name the log of this session; `ionto course log COURSE --session N` corrects a recorded one."
        raise RefusedError(f"{log.path} is recorded as a session already", action)
    return log


@course.command("report")
@_COURSE
@output("--output", "-o", "wanted", help="Page to write. Default: course-CODE-N.html here.")
@force
def course_report(course: str, wanted: Path | None) -> Answer:
    """Write the page of a course: sessions as small multiples, dose per site over time, reactions, sources."""
    lib = library.load()
    with _reading() as db:
        kept = db.course(*codes.split(course))
        sessions, view, code = db.sessions(kept), _view(db, kept, lib), _code(db)
        page = report.render(kept, sessions, view, lib, _sites(db, kept.subject), datetime.now())
    path = wanted or Path(f"course-{kept.subject}-{kept.number}.html")
    put(path, page)
    data = {"notice": NOTICE, "page": path, **overview.as_data(kept, view)}
    return Answer(data, f"Written to {shown(path)}: {view.done} of {kept.plan.sessions} sessions.\n{NOTICE}", code)


def _sites(db: Store, subject: str) -> dict[str, list[tuple[date, float]]]:
    found: dict[str, list[tuple[date, float]]] = {}
    for item in db.courses(subject):
        for session in db.sessions(item):
            dose = session.facts.get("dose_delivered_ma_min")
            found.setdefault(item.site, []).append((session.day, float(dose or 0)))
    return found


@course.command("export")
@click.argument("subject", metavar="SUBJECT")
@output("--output", "-o", "wanted", help="JSON file to write. Default: standard output.")
@force
def course_export(subject: str, wanted: Path | None) -> Answer:
    """Export all that is kept of a subject code, as JSON: courses, pushes with answers, sessions, reactions."""
    code = codes.subject(subject)
    with _reading() as db:
        body = {"notice": NOTICE, "subject": code, "courses": [_exported(db, item) for item in db.courses(code)]}
        exit_code = _code(db)
        if db.damage and not body["courses"]:
            raise CourseDatabaseError(f"nothing of {code} can be read from {db.path}: {db.damage}")
    if not body["courses"]:
        raise UsageError(f"nothing is kept of {code}", "`ionto course status` lists the courses.")
    if wanted is None:
        return Answer(body, json.dumps(plain_data(body), indent=2, ensure_ascii=False), exit_code)
    put(wanted, json.dumps(plain_data(body), indent=2, ensure_ascii=False) + "\n")
    return Answer({"notice": NOTICE, "written": wanted}, f"Written to {shown(wanted)}.\n{NOTICE}", exit_code)


def _exported(db: Store, item: Course) -> dict[str, Any]:
    plan = {**vars(item.plan), "start": item.plan.start.isoformat()}
    sessions = [
        {**_session_data(each), "log_sha256": each.log_sha256, "series": each.series} for each in db.sessions(item)
    ]
    return {**vars(item), "id": item.id, "plan": plan, "pushes": db.pushes(item), "sessions": sessions}


@course.command("delete")
@click.argument("subject", metavar="SUBJECT")
@click.option("--yes", is_flag=True, help="Do not ask.")
def course_delete(subject: str, yes: bool) -> Answer:
    """Delete all that is kept of a subject code: courses, answers, reactions, backups of them.

    The pulled session logs stay: they hold the dose and what was measured, and no subject code.
    """
    code = codes.subject(subject)
    with store.opened() as db:
        kept, given = len(db.courses(code)), len(screening.of_subject(code))
        if not kept and not given and not db.in_backups(code):
            raise UsageError(f"nothing is kept of {code}", "`ionto course status` lists the courses.")
        what = f"{kept} courses and {given} files of answers of {code}, in the backups too,"
        if not yes and not click.confirm(f"Delete {what} for good?", err=True):
            raise RefusedError("nothing was deleted", f"Keep a copy first: `ionto course export {code} --output FILE`.")
        answers = screening.delete_subject(code)  # first: what fails later is found again by its courses or backups
        gone = db.delete_subject(code)
        damaged = sorted(db.path.parent.glob(f"{store.NAME}.damaged-*"))
    text = f"Deleted: {gone} courses and {answers} files of answers of {code}."
    if damaged:
        text += f"\nDamaged copies from before may still hold it: {', '.join(map(str, damaged))}"
    data = {"notice": NOTICE, "deleted": gone, "answers": answers, "damaged_copies": damaged}
    return Answer(data, f"{text}\n{NOTICE}")


@course.command("restore")
def course_restore() -> Answer:
    """Put the last good backup in place of a damaged or missing course database; a damaged file is kept beside it."""
    used, kept = store.restore()
    text = f"Restored from {used}." + (f" The damaged file is {kept}." if kept else " There was no database.")
    return Answer({"notice": NOTICE, "backup": used, "damaged": kept}, f"{text}\n{NOTICE}")


examples(
    "ionto course new P-014 --preset plantar-fasciitis --sessions 6 --every-days 3",
    "ionto dose push heel.toml --course P-014",
    "ionto course log P-014 --reaction tingling",
    "ionto course report P-014",
)(course)
examples(
    "ionto course new P-014 --preset plantar-fasciitis --site 'heel, left'",
    "ionto course new B-1 --preset plantar-fasciitis --bench --min-hours 0 --start 2026-01-12",
)(course_new)
examples("ionto course plan P-014", "ionto course plan P-014 --sessions 8 --ics p014.ics")(course_plan)
examples("ionto course status", "ionto course status P-014", "ionto course status P-014 --json")(course_status)
examples(
    "ionto course log P-014 --reaction none",
    "ionto course log P-014 --reaction redness --reaction itching --note 'gone after an hour'",
    "ionto course log P-014 --accept",
    "ionto course log P-014 --session 2 --reaction blister",
    "ionto course log P-014 --not-run",
)(course_log)
examples("ionto course report P-014", "ionto course report P-014/2 --output p014.html")(course_report)
examples("ionto course export P-014 --output p014.json")(course_export)
examples("ionto course delete P-014", "ionto course delete P-014 --yes")(course_delete)
examples("ionto course restore")(course_restore)

COMMANDS = (course,)
