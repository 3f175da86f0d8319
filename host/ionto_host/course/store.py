"""The course database: SQLite beside the logs, with a schema version and a backup before every change of it.

A damaged database is never written to: it opens for reading only, and the last good backup is offered.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from ionto_host import wholefile
from ionto_host.course.planner import Plan
from ionto_host.errors import CourseDatabaseError, CourseError, CourseFileError, IontoError, UsageError
from ionto_host.logs import store as logstore

NAME = "courses.sqlite"
BACKUP = "courses.backup.sqlite"
BACKUP_BEFORE = "courses.backup-before.sqlite"  # the one before the last write
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError)  # what a row that holds rubbish raises
WAIT_S = 10  # for another command to finish its write
_DELETED = "another command deleted this course meanwhile"
OPEN, RECORDED, NOT_RUN = "open", "recorded", "not run"

_V1 = """
CREATE TABLE courses (
  subject TEXT NOT NULL, number INTEGER NOT NULL, preset TEXT NOT NULL, site TEXT NOT NULL,
  sensitivity TEXT NOT NULL, sessions INTEGER NOT NULL, every_days INTEGER NOT NULL, min_interval_h INTEGER NOT NULL,
  start TEXT NOT NULL, bench INTEGER NOT NULL, created_s INTEGER NOT NULL,
  PRIMARY KEY (subject, number));
CREATE TABLE pushes (
  id INTEGER PRIMARY KEY, subject TEXT NOT NULL, course INTEGER NOT NULL, time_s INTEGER NOT NULL,
  board TEXT NOT NULL, digest TEXT NOT NULL, dose TEXT NOT NULL, screening TEXT NOT NULL, state TEXT NOT NULL,
  FOREIGN KEY (subject, course) REFERENCES courses (subject, number) ON DELETE CASCADE);
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY, push INTEGER NOT NULL UNIQUE REFERENCES pushes (id) ON DELETE CASCADE,
  time_s INTEGER NOT NULL, log_path TEXT NOT NULL, log_sha256 TEXT NOT NULL, facts TEXT NOT NULL,
  series TEXT NOT NULL, reactions TEXT NOT NULL, note TEXT NOT NULL);
"""
# One entry for each version of the schema: how it is made from the one before.
MIGRATIONS: tuple[str, ...] = (_V1,)

Item = TypeVar("Item")


@dataclass(frozen=True)
class Course:
    """A course of a subject code at one site. Times in Unix seconds, `start` a date."""

    subject: str
    number: int
    preset: str
    site: str
    sensitivity: str
    plan: Plan
    bench: bool
    created_s: int

    @property
    def id(self) -> str:
        """The name that `--course` takes."""
        return f"{self.subject}/{self.number}"


@dataclass(frozen=True)
class Push:
    """A dose that was given to a device for a course, with the answers of its screening."""

    id: int
    time_s: int
    board: str
    digest: str
    dose: dict[str, Any]
    screening: dict[str, Any]
    state: str


@dataclass(frozen=True)
class Recorded:
    """A session of a course: what its log says (`facts`, `series`), the reactions (ids) and a note."""

    id: int
    preset: str
    push: Push
    time_s: int
    log_path: str
    log_sha256: str
    facts: dict[str, Any]
    series: dict[str, list[float]]
    reactions: tuple[str, ...]
    note: str

    @property
    def day(self) -> date:
        """The local date of the session."""
        return datetime.fromtimestamp(self.time_s).date()


@dataclass
class NewSession:
    """What `Store.add_session` keeps."""

    push: int
    time_s: int
    reactions: tuple[str, ...]
    note: str = ""
    log_path: str = ""
    log_sha256: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)


def default_path() -> Path:
    """Return where the database is: beside the pulled logs."""
    return logstore.default_folder() / NAME


class Store:
    """The open database. `damage` says what is wrong with it; then it is for reading only."""

    def __init__(self, path: Path, db: sqlite3.Connection, damage: str = "") -> None:
        self.path = path
        self.damage = damage
        self._db = db

    # Courses -----------------------------------------------------------------------------------------------------

    def courses(self, subject: str | None = None) -> list[Course]:
        """Return all courses, or those of `subject`, by subject and number."""
        rows = self._read("SELECT * FROM courses WHERE ?1 IS NULL OR subject = ?1 ORDER BY subject, number", subject)
        return self._built(rows, _course)

    def course(self, subject: str, number: int | None) -> Course:
        """Return the course; without a number the only one of `subject`. `UsageError` for none or several."""
        found = [item for item in self.courses(subject) if number in (None, item.number)]
        if not found:
            wanted = subject if number is None else f"{subject}/{number}"
            if self.damage:
                raise CourseDatabaseError(f"no course {wanted} can be read from {self.path}: {self.damage}")
            raise UsageError(f"no course {wanted}", "Begin one with `ionto course new`, or see `ionto course status`.")
        if len(found) > 1:
            ids = ", ".join(item.id for item in found)
            raise UsageError(f"{subject} has several courses: {ids}", "Name one of them.")
        return found[0]

    def add_course(self, course: Course) -> Course:
        """Keep `course` under the next free number of its subject and return it so."""
        with self._write() as db:
            row = db.execute("SELECT max(number) FROM courses WHERE subject = ?", (course.subject,)).fetchone()
            number = (row[0] or 0) + 1
            plan = course.plan
            db.execute(
                "INSERT INTO courses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (course.subject, number, course.preset, course.site, course.sensitivity, plan.sessions)
                + (plan.every_days, plan.min_interval_h, plan.start.isoformat(), int(course.bench), course.created_s),
            )
        return self.course(course.subject, number)

    def change_plan(self, course: Course, plan: Plan) -> Course:
        """Keep `plan` as that of `course`."""
        with self._write() as db:
            db.execute(
                "UPDATE courses SET sessions = ?, every_days = ?, min_interval_h = ?, start = ? "
                "WHERE subject = ? AND number = ?",
                (plan.sessions, plan.every_days, plan.min_interval_h, plan.start.isoformat())
                + (course.subject, course.number),
            )
        return self.course(course.subject, course.number)

    def delete_subject(self, subject: str) -> int:
        """Delete every course of `subject` with all that belongs to it, from the backups too; return how many.

        The backups go while nobody else can use the database, which holds everything until then: what fails leaves it
        as it was or without the subject, and a new backup of it. It may be called again for what was left.
        """
        removing = False
        try:
            with self._changing("EXCLUSIVE") as db:
                gone = db.execute("DELETE FROM courses WHERE subject = ?", (subject,)).rowcount
                removing = True
                for path in [*backups(self.path), *self._unfinished()]:
                    _unlink(path)
            self._compact(subject)
        finally:
            if removing:
                self._keep_backup(roll=False)
        return gone

    def _compact(self, subject: str) -> None:
        try:
            self._db.execute("VACUUM")
        except sqlite3.DatabaseError as error:
            said = f"the courses of {subject} are deleted, and {self.path} is not made smaller: {error}"
            raise CourseFileError(said, "Nothing is left to do: what was deleted is overwritten in it.") from error

    def in_backups(self, subject: str) -> bool:
        """Return True when a backup, or one that was never finished, holds `subject`."""
        found = [_holds(path, subject) for path in backups(self.path)]
        return any(found) or any(subject.encode() in path.read_bytes() for path in self._unfinished())

    def _unfinished(self) -> list[Path]:
        """Return what writers of a backup that were killed left behind."""
        return list(self.path.parent.glob("courses.backup*.part"))

    # Pushes and sessions -----------------------------------------------------------------------------------------

    def add_push(self, course: Course, push: Push) -> int:
        """Keep `push` (its id is given here) for `course` and return its id.

        `CourseError` when one at the same site still waits for its session to be recorded.
        """
        at_site = (
            "SELECT 1 FROM pushes p JOIN courses c ON c.subject = p.subject AND c.number = p.course "
            "WHERE p.subject = ?1 AND p.state = ?9 "
            "AND c.site = (SELECT site FROM courses WHERE subject = ?1 AND number = ?2)"
        )
        with self._write() as db:
            texts = (push.board, push.digest, _json(push.dose), _json(push.screening), push.state)
            cursor = db.execute(
                "INSERT INTO pushes (subject, course, time_s, board, digest, dose, screening, state) "
                f"SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS ({at_site})",
                (course.subject, course.number, push.time_s, *texts, OPEN),
            )
            if not cursor.rowcount:
                raise CourseError(
                    f"another dose was pushed for {course.subject} at {course.site} meanwhile",
                    "Record its session first.",
                )
        return int(cursor.lastrowid or 0)

    def set_state(self, push: int, state: str) -> None:
        """Set the state of a push."""
        with self._write() as db:
            db.execute("UPDATE pushes SET state = ? WHERE id = ?", (state, push))

    def pushes(self, course: Course) -> list[Push]:
        """Return the pushes of `course`, oldest first."""
        query = "SELECT * FROM pushes WHERE subject = ? AND course = ? ORDER BY id"
        return self._built(self._read(query, course.subject, course.number), _push)

    def open_push(self, course: Course) -> Push | None:
        """Return the push of `course` whose session has not been recorded, None without one."""
        return next((item for item in reversed(self.pushes(course)) if item.state == OPEN), None)

    def add_session(self, new: NewSession) -> None:
        """Keep a session, and its push as recorded."""
        with self._write() as db:
            db.execute(
                "INSERT INTO sessions (push, time_s, log_path, log_sha256, facts, series, reactions, note) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (new.push, new.time_s, new.log_path, new.log_sha256, _json(new.facts), _json(new.series))
                + (_json(list(new.reactions)), new.note),
            )
            db.execute("UPDATE pushes SET state = ? WHERE id = ?", (RECORDED, new.push))

    def change_reactions(self, session: int, reactions: tuple[str, ...], note: str) -> None:
        """Keep what was learnt later about the reactions of a session."""
        with self._write() as db:
            changed = db.execute(
                "UPDATE sessions SET reactions = ?, note = ? WHERE id = ?", (_json(list(reactions)), note, session)
            )
            if not changed.rowcount:
                raise CourseError(_DELETED)

    def sessions(self, course: Course) -> list[Recorded]:
        """Return the recorded sessions of `course` in order of time."""
        return self._sessions("c.number = ?2", course.subject, course.number)

    def sessions_at(self, subject: str, site: str) -> list[Recorded]:
        """Return the recorded sessions of `subject` at `site` in order of time, those of every course there."""
        return self._sessions("c.site = ?2", subject, site)

    def _sessions(self, which: str, *values: Any) -> list[Recorded]:
        joined = f"JOIN courses c ON c.subject = p.subject AND c.number = p.course WHERE p.subject = ?1 AND {which}"
        pushes = self._built(self._read(f"SELECT p.* FROM pushes p {joined}", *values), _push)
        by_id = {item.id: item for item in pushes}
        rows = self._read(
            f"SELECT s.*, c.preset FROM sessions s JOIN pushes p ON s.push = p.id {joined} ORDER BY s.time_s, s.id",
            *values,
        )
        known = [row for row in rows if row["push"] in by_id]
        return self._built(known, lambda row: _recorded(row, row["preset"], by_id[row["push"]]))

    def known_logs(self) -> set[str]:
        """Return the SHA-256 of every log that belongs to a session already."""
        return {row[0] for row in self._read("SELECT log_sha256 FROM sessions WHERE log_sha256 != ''")}

    def times_s(self, subject: str, site: str) -> list[int]:
        """Return when `subject` had a session or was given a dose for one at `site` (Unix), in any course."""
        query = (
            "SELECT coalesce(s.time_s, p.time_s) FROM pushes p LEFT JOIN sessions s ON s.push = p.id "
            "JOIN courses c ON c.subject = p.subject AND c.number = p.course "
            "WHERE p.subject = ? AND c.site = ? AND p.state != ?"
        )
        return [int(row[0]) for row in self._read(query, subject, site, NOT_RUN)]

    # The file ----------------------------------------------------------------------------------------------------

    def back_up(self, name: str = BACKUP) -> Path:
        """Copy the database to `name` beside it and return the path."""
        target = self.path.with_name(name)
        with wholefile.whole(target) as part, closing(sqlite3.connect(part)) as copy:
            self._db.backup(copy)
        return target

    def _read(self, query: str, *values: Any) -> list[sqlite3.Row]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            if not self.damage:
                raise _trouble(self.path, error) from error
            return []

    def _built(self, rows: list[sqlite3.Row], build: Callable[[sqlite3.Row], Item]) -> list[Item]:
        """Return what `build` makes of the rows; of a damaged database those that it can read."""
        found: list[Item] = []
        for row in rows:
            try:
                found.append(build(row))
            except _UNREADABLE as error:
                if not self.damage:
                    raise _damaged(self.path, f"a row cannot be read: {error}") from error
        return found

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Yield the database for one change, and keep a backup of it afterwards."""
        with self._changing("IMMEDIATE") as db:
            yield db
        self._keep_backup(roll=True)

    @contextmanager
    def _changing(self, how: str) -> Iterator[sqlite3.Connection]:
        """Yield the database with nobody else writing (IMMEDIATE) or using it (EXCLUSIVE); an error changes nothing."""
        if self.damage:
            raise _damaged(self.path, self.damage)
        with self._told(), self._db:
            self._db.execute(f"BEGIN {how}")
            yield self._db

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what SQLite raises by its cause."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise _contradiction(self.path, error) from error
        except sqlite3.DatabaseError as error:
            raise _trouble(self.path, error) from error

    def _keep_backup(self, roll: bool) -> None:
        """Make a backup of the database as it is now; the last one is kept beside it with `roll`."""
        try:
            with self._alone():
                last = self.path.with_name(BACKUP)
                if roll and last.is_file():
                    last.replace(self.path.with_name(BACKUP_BEFORE))
                self.back_up()
        except (sqlite3.DatabaseError, OSError) as error:
            action = "What was to be recorded is; look at the disk and at the rights of the folder."
            raise CourseFileError(f"the backup of {self.path} cannot be written: {error}", action) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other commands from writing, here and to the backups; this one must not write meanwhile either."""
        with closing(_connect(self.path)) as gate:
            gate.execute("BEGIN IMMEDIATE")
            yield


@contextmanager
def opened(path: Path | None = None, even_damaged: bool = False) -> Iterator[Store]:
    """Yield the database at `path` (the default one), made when there is none, brought to the present schema.

    A damaged one raises `CourseDatabaseError`, or with `even_damaged` opens for reading what can be read: decisions
    must not rest on it.
    """
    path = path or default_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    shown, damage = path, _gone(path)
    if damage:  # a new database here would be backed up over what is left of the old one
        shown = _newest_good(path) if even_damaged else None
        if shown is None:
            raise CourseDatabaseError(f"the course database {path} is {damage}")
    try:
        db = _connect(shown, read_only=bool(damage))
    except sqlite3.OperationalError as error:
        raise _trouble(path, error) from error
    try:
        damage = damage or _examined(db, path)
        if damage and not even_damaged:
            raise _damaged(path, damage)
        if damage and shown == path:
            db.close()
            db = _connect(path, read_only=True)
        elif not damage:
            _migrated(db, path)
        yield Store(path, db, damage)
    finally:
        db.close()


def _gone(path: Path) -> str:
    """Return what to say when the database is missing or empty and backups of it are there, "" otherwise."""
    is_there = path.is_file() and path.stat().st_size > 0
    if is_there or not backups(path):
        return ""
    return "missing or empty, and its backups are there: nothing new is begun"


def restore(path: Path | None = None) -> tuple[Path, Path | None]:
    """Put the last good backup in place of a damaged or missing database.

    Returns (backup used, damaged file kept; None where there was none). `CourseError` when the database is sound, or
    when there is no good backup: nothing is changed then.
    """
    path = path or default_path()
    if path.is_file() and not _gone(path) and not _damage_of(path):
        raise CourseError(f"{path} is sound: nothing to restore")
    newest = _newest_good(path)
    if newest is None:
        raise CourseError(f"there is no good backup of {path}", "What can be read is in `ionto course export`.")
    part = path.with_suffix(".restoring")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(newest)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    kept = None
    if path.is_file():
        kept = path.with_name(f"{path.name}.damaged-{int(time.time())}")
        path.rename(kept)
    part.replace(path)
    return newest, kept


def _newest_good(path: Path) -> Path | None:
    return next((item for item in backups(path) if _is_good(item)), None)


def _is_good(path: Path) -> bool:
    try:
        return not _damage_of(path)
    except IontoError:  # it cannot be read: the one before may be
        return False


def _unlink(backup: Path) -> None:
    try:
        backup.unlink()
    except OSError as error:
        action = "Look at the rights of the folder, and delete again: no course was deleted."
        raise CourseFileError(f"the backup {backup} cannot be deleted: {error.strerror}", action) from error


def _holds(path: Path, subject: str) -> bool:
    """Return True when the database `path` has a course of `subject`, or cannot be read and has its code somewhere."""
    try:
        with closing(_connect(path, read_only=True)) as db:
            return db.execute("SELECT 1 FROM courses WHERE subject = ?", (subject,)).fetchone() is not None
    except sqlite3.DatabaseError:
        return subject.encode() in path.read_bytes()


def backups(path: Path) -> list[Path]:
    """Return the backups beside the database `path`, newest first: the rolling ones, then those before a migration.

    By name: the times of files do not outlive a copy of the folder.
    """
    rolling = [path.with_name(name) for name in (BACKUP, BACKUP_BEFORE)]
    older = set(path.parent.glob("courses.backup*.sqlite")) - set(rolling)
    by_schema = sorted(older, key=lambda item: (len(item.name), item.name), reverse=True)
    return [item for item in rolling if item.is_file()] + by_schema


def _connect(path: Path, read_only: bool = False) -> sqlite3.Connection:
    name = f"{path.absolute().as_uri()}?mode=ro&immutable=1" if read_only else str(path)
    db = sqlite3.connect(name, uri=read_only, timeout=WAIT_S)
    db.row_factory = sqlite3.Row
    with suppress(sqlite3.DatabaseError):
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
    return db


def _what_is_wrong(db: sqlite3.Connection) -> str:
    """Return what is wrong with the database, "" when it is sound: its pages, and the content of every row."""
    try:
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(3)")]
        found = found if found != ["ok"] or not _version(db) else _rows_amiss(db) or found
    except sqlite3.OperationalError as error:
        if _is_outside(error):
            raise
        return str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    lines = [line for text in found for line in text.splitlines() if not line.startswith("***")]
    return "" if found == ["ok"] else "; ".join(lines)


def _examined(db: sqlite3.Connection, path: Path) -> str:
    try:
        return _what_is_wrong(db)
    except sqlite3.OperationalError as error:
        raise _trouble(path, error) from error


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _rows_amiss(db: sqlite3.Connection) -> list[str]:
    """Return the rows that cannot be read: SQLite itself does not look into a text."""
    pushes: dict[int, Push] = {}
    builders: tuple[tuple[str, Callable[[sqlite3.Row], Any]], ...] = (
        ("courses", _course),
        ("pushes", lambda row: pushes.setdefault(row["id"], _push(row))),
        ("sessions", lambda row: _recorded(row, "", pushes[row["push"]])),
    )
    amiss: list[str] = []
    for table, build in builders:
        for number, row in enumerate(db.execute(f"SELECT * FROM {table} ORDER BY rowid"), 1):
            try:
                build(row)
            except _UNREADABLE as error:
                amiss.append(f"row {number} of {table} cannot be read ({type(error).__name__})")
    return amiss[:3]


def _damage_of(path: Path) -> str:
    try:
        with closing(_connect(path, read_only=True)) as db:
            return _what_is_wrong(db)
    except sqlite3.OperationalError as error:
        raise _trouble(path, error) from error


def _migrated(db: sqlite3.Connection, path: Path) -> None:
    try:
        _migrate(db, path)
    except sqlite3.OperationalError as error:
        db.rollback()
        if _version(db) < len(MIGRATIONS):  # otherwise another command has just done the same
            raise _trouble(path, error) from error


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version > len(MIGRATIONS):
        raise CourseDatabaseError(
            f"{path} has schema {version}; this host tool knows up to {len(MIGRATIONS)}", "Update the host tool."
        )
    if 0 < version < len(MIGRATIONS):
        Store(path, db).back_up(f"courses.backup-schema{version}.sqlite")
    for number in range(version, len(MIGRATIONS)):
        db.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")


def _is_outside(error: sqlite3.DatabaseError) -> bool:
    """Return True when `error` is of the disk, the rights or another command, and not of the content."""
    return any(word in str(error) for word in ("locked", "readonly", "unable to open", "is full", "disk I/O"))


def _contradiction(path: Path, error: sqlite3.IntegrityError) -> IontoError:
    """Return what to say of a row that does not fit those of another command."""
    if "FOREIGN KEY" in str(error):
        return CourseError(_DELETED)
    if "sessions.push" in str(error):
        return CourseError("another command recorded this session meanwhile")
    return _damaged(path, str(error))


def _trouble(path: Path, error: sqlite3.DatabaseError) -> IontoError:
    if "locked" in str(error):
        action = "Run it again when that is done; no course was changed."
        return CourseFileError(f"the course database {path} is in use by another command", action)
    if _is_outside(error):
        return CourseFileError(f"the course database {path} cannot be used: {error}")
    return _damaged(path, str(error))


def _damaged(path: Path, what: str) -> CourseDatabaseError:
    return CourseDatabaseError(f"the course database {path} is damaged and is opened for reading only: {what}")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _course(row: sqlite3.Row) -> Course:
    plan = Plan(date.fromisoformat(row["start"]), row["sessions"], row["every_days"], row["min_interval_h"])
    texts = (row["subject"], row["number"], row["preset"], row["site"], row["sensitivity"])
    return Course(*texts, plan, bool(row["bench"]), row["created_s"])


def _push(row: sqlite3.Row) -> Push:
    dose, screening = json.loads(row["dose"]), json.loads(row["screening"])
    return Push(row["id"], row["time_s"], row["board"], row["digest"], dose, screening, row["state"])


def _recorded(row: sqlite3.Row, preset: str, push: Push) -> Recorded:
    load: Callable[[str], Any] = json.loads
    parts = (load(row["facts"]), load(row["series"]), tuple(load(row["reactions"])), _text(row["note"]))
    return Recorded(row["id"], preset, push, row["time_s"], row["log_path"], row["log_sha256"], *parts)
