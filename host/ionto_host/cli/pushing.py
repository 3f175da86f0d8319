"""What stands between a dose file and a device: polarity, the course's rules, and the contraindication questions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ionto_host.cli.common import can_ask, note, plain_data
from ionto_host.course import codes, overview, planner, store
from ionto_host.course.store import Course, Push, Store
from ionto_host.dose import screening
from ionto_host.dose.file import DoseFile
from ionto_host.dose.screening import Answers, Asked
from ionto_host.errors import CourseError, RefusedError, ScreeningError, UsageError
from ionto_host.library import polarity
from ionto_host.library.model import Library
from ionto_host.notice import NOTICE


@dataclass(frozen=True)
class Given:
    """The options of a push that are about the person: files, codes, and what a person looked up or looked at."""

    screening: Path | None = None
    course: str | None = None
    pole_verified: str = ""
    reviewed: str = ""
    at: datetime | None = None


@dataclass
class Vetted:
    """A dose that may be pushed, as far as can be said without a device."""

    loaded: DoseFile
    library: Library
    told: str
    verified: str
    store: Store | None = None
    course: Course | None = None
    now_s: int = 0
    reviewed: str = ""


def judge_polarity(loaded: DoseFile, lib: Library, given: str) -> tuple[polarity.Verdict, str]:
    """Return the verdict, and where the pole was looked up: said now, or in the dose file."""
    verified = given or str(loaded.therapy.get("pole_verified", ""))
    return polarity.judge(loaded.fields, lib, verified, str(loaded.path)), verified


@contextmanager
def vetted(loaded: DoseFile, lib: Library, given: Given) -> Iterator[Vetted]:
    """Yield the dose with the course it belongs to, its database open; refuse what its rules do not allow."""
    verdict, verified = judge_polarity(loaded, lib, given.pole_verified)
    if not verdict.checked:
        note(f"WARNING: {verdict.text}")
    found = Vetted(loaded, lib, verdict.text, verified, now_s=int(time.time()), reviewed=given.reviewed)
    subject = loaded.therapy.get("subject")
    if given.course is None:
        if subject:
            raise CourseError(f"{loaded.path} is a dose for {subject}", f"Push it with --course {subject}.")
        if given.at or given.reviewed:
            raise UsageError("--at and --reviewed belong to a course", "Name it with --course.")
        yield found
        return
    with ExitStack() as stack:
        found.store = stack.enter_context(store.opened())
        found.course = found.store.course(*codes.split(given.course))
        if given.at:
            found.now_s = _played(found.course, given.at)
        _judge_course(found)
        yield found


def _played(course: Course, at: datetime) -> int:
    if not course.bench:
        raise CourseError(f"{course.id} is no bench course: its sessions happen now", "Leave --at out.")
    return int(at.timestamp())


def _judge_course(found: Vetted) -> None:
    """Raise `CourseError` when the dose does not belong to the course, or the course allows no session now."""
    course, loaded = found.course, found.loaded
    assert course is not None and found.store is not None
    _judge_belonging(course, loaded, found.library)
    sessions = found.store.sessions(course)
    if len(sessions) >= course.plan.sessions:
        raise CourseError(
            f"{course.id} has {len(sessions)} of {course.plan.sessions} sessions",
            f"Plan more with `ionto course plan {course.id} --sessions N`.",
        )
    _judge_pending(course, found.store)
    _judge_time(found)
    at_site = found.store.sessions_at(course.subject, course.site)
    view = overview.look(course, sessions, at_site, None, found.library, found.now_s)
    if view.stopped_by and not found.reviewed:
        raise CourseError(
            f"the last session of {course.subject} at {course.site} (or the last of {course.preset} there) ended with "
            f"{overview.names(view.stopped_by, found.library)}",
            "A person has to look at it first, and say so: --reviewed 'what was found'.",
        )
    for warning in view.warnings:
        note(f"WARNING: {warning}")


def _judge_pending(course: Course, db: Store) -> None:
    """Raise `CourseError` while a dose pushed for the site, in any course, waits for its session to be recorded."""
    for each in db.courses(course.subject):
        pending = db.open_push(each) if each.site == course.site else None
        if pending:
            raise CourseError(
                f"the session of the dose pushed on {_moment(pending.time_s)} for {each.id} is not recorded",
                f"Pull its log and `ionto course log {each.id}`; or --not-run there when it never began.",
            )


def _judge_belonging(course: Course, loaded: DoseFile, lib: Library) -> None:
    subject, preset = loaded.therapy.get("subject"), loaded.therapy.get("preset")
    wanted = lib.preset(course.preset)
    drugs = [item.id for item in polarity.drugs_in(str(loaded.fields["drug"]), lib)]
    wrong = ""
    if subject and codes.split(str(subject))[0] != course.subject:
        wrong = f"subject is {subject}"
    elif preset and lib.preset(str(preset)).id != wanted.id:
        wrong = f"preset is {preset}"
    elif wanted.drug.id not in drugs:
        wrong = f"drug is {loaded.fields['drug']}"
    elif loaded.fields["site"] != course.site:
        wrong = f"site is {loaded.fields['site']}"
    if wrong:
        raise CourseError(
            f"{loaded.path}: {wrong}, but {course.id} is {wanted.id} at {course.site}",
            f"Write one for it: `ionto dose new FILE --subject {course.id} --area CM2`.",
        )
    if loaded.fields["starts"] != 1:
        raise CourseError(
            f"{loaded.path}: starts is {loaded.fields['starts']}, and in a course every session is asked for anew",
            "Set starts = 1.",
        )


def _judge_time(found: Vetted) -> None:
    course = found.course
    assert course is not None and found.store is not None
    times = found.store.times_s(course.subject, course.site)
    wait = planner.too_soon(course.plan, times, found.now_s)
    if wait is None:
        return
    if wait.clock:
        raise CourseError(
            f"the last session of {course.subject} lies in the future: {_moment(max(times))}",
            "Correct the clock of this computer.",
        )
    earliest_s = max(times) + course.plan.min_interval_h * planner.HOUR_S
    raise CourseError(
        f"too soon: {course.subject} had a session at {course.site} on {_moment(max(times))}, and {course.id} keeps "
        f"{course.plan.min_interval_h} h between two",
        f"Push it again from {_moment(earliest_s)} on.",
        next_not_before=datetime.fromtimestamp(earliest_s).isoformat(timespec="minutes"),
    )


def _moment(time_s: int) -> str:
    return f"{datetime.fromtimestamp(time_s):%Y-%m-%d %H:%M}"


def screen(found: Vetted, board_id: str, path: Path | None) -> dict[str, Any]:
    """Ask what has to be asked and return the record of it; `ScreeningError` on a yes, kept too."""
    loaded = found.loaded
    if screening.exempt(loaded.fields, loaded.therapy) and not found.course:
        note(f"Screening: {screening.EXEMPTION}.")
        found.loaded = screening.stamped(loaded, screening.BENCH_TEXT)
        return {"exempt": screening.EXEMPTION}
    preset = _preset_of(found)
    asked = screening.questions(str(loaded.fields["drug"]), found.library, preset)
    answers = screening.read(path, asked, preset) if path else _ask(asked)
    if answers.subject and found.course and answers.subject != found.course.subject:
        raise ScreeningError(
            f"{path} holds the answers of {answers.subject}, the course is of {found.course.subject}",
            "Ask the right person.",
        )
    found.loaded = screening.stamped(loaded, screening.line(found.now_s, preset, asked, answers))
    record = _record(found, asked, answers)
    try:
        screening.judge(asked, answers)
    except ScreeningError:
        screening.save(_sidecar(board_id, record), {**record, "result": "refused"})
        raise
    return record


def _preset_of(found: Vetted) -> str:
    return found.course.preset if found.course else str(found.loaded.therapy.get("preset", ""))


def _record(found: Vetted, asked: list[Asked], answers: Answers) -> dict[str, Any]:
    said = answers.values
    given = {item.id: {"question": item.text, "yes": said[item.id]} for item in asked if item.id in said}
    record: dict[str, Any] = {
        "digest": hashlib.sha256(found.loaded.raw).hexdigest(),
        "time_s": found.now_s,
        "result": "passed",
        "how": answers.how,
        "answers": given,
    }
    if answers.sha256:
        record["file_sha256"] = answers.sha256
    if found.course:
        record |= {"subject": found.course.subject, "course": found.course.id}
        record["therapy"] = plain_data(found.loaded.therapy)  # what was proposed, and why, beside what was decided
    if found.verified:
        record["pole_verified"] = found.verified
    if found.reviewed:
        record["reviewed"] = found.reviewed
    return record


def _sidecar(board_id: str, record: dict[str, Any]) -> Path:
    return screening.sidecar_path(board_id, record["digest"], record["time_s"])


def _ask(asked: list[Asked]) -> Answers:
    """Ask at the terminal, on stderr; `ScreeningError` where nobody can be asked."""
    if not can_ask():
        raise ScreeningError(
            "the contraindication questions are not answered: there is no terminal to ask at, and no --screening FILE",
            "`ionto presets screening PRESET` prints a file to fill in.",
        )
    click.echo(f"{NOTICE}\n{len(asked)} questions before the dose goes to the device:", err=True)
    values: dict[str, bool] = {}
    for number, item in enumerate(asked, 1):
        values[item.id] = click.confirm(f"{number:>2}. {item.text}", default=None, err=True)
        if values[item.id]:
            break  # one yes decides; the rest stays unanswered
    return Answers(values, "asked")


@contextmanager
def recorded(found: Vetted, board_id: str, record: dict[str, Any]) -> Iterator[Path | None]:
    """Keep answers and push before the device gets the dose, and take them back when it refuses the dose.

    After any other failure the device may hold the dose, so the record stays. Yields the file with the answers, None
    for an exempt dose.
    """
    if "exempt" in record:
        yield None
        return
    path = _sidecar(board_id, record)
    screening.save(path, record)
    try:
        push_id = _add_push(found, board_id, record)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    try:
        yield path
    except RefusedError:
        path.unlink(missing_ok=True)
        if push_id and found.store:
            found.store.set_state(push_id, store.NOT_RUN)
        raise


def _add_push(found: Vetted, board_id: str, record: dict[str, Any]) -> int:
    if found.store is None or found.course is None:
        return 0
    push = Push(0, found.now_s, board_id, record["digest"], found.loaded.fields, record, store.OPEN)
    return found.store.add_push(found.course, push)
