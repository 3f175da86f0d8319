"""A whole course on the virtual Pico: six sessions for plantar fasciitis over weeks, through the commands a user types.

For bench work, teaching and research; not a cleared medical device. Nobody is connected: the loads are simulated, the
doses are those of the preset, and virtual time makes an hour of current a minute or two. Run it with `make course`,
or from the root of the repository:

    python examples/course_plantar_fasciitis.py

What it leaves in build/course/: the page of the course, its calendar, its export, the dose files, the logs. Exit code 1
when the course did not go as told here, or the independent meter saw another charge than the course counts.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionto_host import demo, simulators
from ionto_host.units import ma_min

FOLDER = Path("build/course")
ENVIRONMENT = {
    "IONTO_SIMS": str(FOLDER / "sims"),
    "IONTO_LOGS": str(FOLDER / "logs"),
    "IONTO_PORT": str(FOLDER / "sims" / "default" / "port"),
}
ANSWERS = "examples/answers/simulated_load.toml"
CODE = "B-014"  # stands for nobody
MOIST, DRY = "skin", '{"kind": "skin", "series_ohm": 500, "parallel_ohm": 17000, "drop": 0.25, "drift": 0.3}'
TOLERANCE = 0.005
WAIT_S = 300  # of wall time, on a machine with other work


@dataclass(frozen=True)
class Played:
    """A session: when, on which load, the dose decided for (None: as proposed), what happens, reactions after it."""

    at: str
    load: str
    dose_ma_min: str | None
    happens: str
    reactions: tuple[str, ...]
    outcome: str
    note: str = ""


SESSIONS = (
    Played("2026-03-02 10:00", MOIST, "20", "", ("tingling",), "complete", "half of the usual dose to begin with"),
    Played("2026-03-05 10:30", DRY, "20", "", ("none",), "complete", "dry skin"),
    Played("2026-03-09 09:40", "2000", None, "lifted", ("redness",), "fault", "the electrode had come off"),
    Played("2026-03-12 11:05", MOIST, None, "stinging", ("redness",), "aborted"),
    Played("2026-03-16 10:00", "4700", "11", "", ("tingling",), "complete", "lower, and half of the time"),
    Played("2026-03-19 10:20", MOIST, None, "", ("none",), "complete"),
)
HAPPENS_AT_MA_MIN = 8  # of the dose of a session in which something happens
AGAIN_MA_MIN = 5  # more, after which it stings again at the lower current


class CourseFailedError(Exception):
    """Raised when a step does not end as it should; the message says which."""


def ionto(*arguments: str, code: int = 0) -> None:
    """Print and run one `ionto` command, which has to end with the exit code `code`."""
    print(f"\n$ {shlex.join(['ionto', *arguments])}", flush=True)
    found = subprocess.run([sys.executable, "-m", "ionto_host", *arguments], check=False).returncode
    if found != code:
        raise CourseFailedError(f"`ionto {shlex.join(arguments)}` ended with exit code {found}, not {code}")


def main() -> int:
    """Play the course in the current folder and return the exit code."""
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.environ.update(ENVIRONMENT)
    try:
        with demo.virtual_pico():
            ionto("flash")
            plan()
            for number, played in enumerate(SESSIONS, 1):
                session(number, played)
            metered_uc = demo.meter_uc()
        conclude()
    except (CourseFailedError, demo.DemoError) as error:
        print(f"\nThe course failed: {error}", file=sys.stderr)
        return 1
    failures = judge(metered_uc)
    print(f"{time.monotonic() - began:.0f} s; in {FOLDER}/: course.html, course.ics, course.json")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def plan() -> None:
    """Begin the course: six sessions, one every three days, and its calendar."""
    options = ("--bench", "--start", "2026-03-02", "--sessions", "6", "--every-days", "3")
    ionto("course", "new", CODE, "--preset", "plantar-fasciitis", *options)
    ionto("course", "plan", CODE, "--ics", str(FOLDER / "course.ics"))


def session(number: int, played: Played) -> None:
    """Fit a dose, push it with the screening, run it, pull its log and record it with the reactions."""
    print(f"\n# Session {number}, {played.at}", flush=True)
    ionto("sim", "load", played.load)
    dose = str(FOLDER / f"session{number}.toml")
    decided = ("--dose", played.dose_ma_min) if played.dose_ma_min else ()
    ionto("dose", "new", dose, "--subject", CODE, "--area", "10", *decided, "--accept")
    push = ("dose", "push", dose, "--course", CODE, "--at", played.at)
    if number == 1:
        ionto(*push, code=4)  # without answers nothing is sent
    if number == 2:
        ionto(*push[:-1], "2026-03-03 10:00", "--screening", ANSWERS, code=4)  # too soon
    ionto(*push, "--screening", ANSWERS)
    before_uc = demo.meter_uc()
    ionto("start")
    if played.happens:
        happen(played.happens, before_uc + HAPPENS_AT_MA_MIN * 60_000)
    ionto("monitor", "--timeout", str(WAIT_S), code=5 if played.outcome == "fault" else 0)
    ionto("logs", "pull")
    if played.outcome == "fault":
        ionto("sim", "load", played.load)
        ionto("clear")
    felt = [part for item in played.reactions for part in ("--reaction", item)]
    accept = ("--accept",) if played.happens == "stinging" else ()  # what was reported during it is in the log
    ionto("course", "log", CODE, *felt, *accept, *(("--note", played.note) if played.note else ()))


def happen(what: str, charge_uc: float) -> None:
    """Wait until so much has flowed, then let the electrode come off, or the person say twice that it stings."""
    with simulators.connect(None) as pico:
        pico.wait(charge_above_uc=charge_uc, timeout_s=WAIT_S)
    if what == "lifted":
        ionto("sim", "load", "open")
        return
    ionto("comfort", "stinging", "--lower")
    with simulators.connect(None) as pico:
        pico.wait(charge_above_uc=charge_uc + AGAIN_MA_MIN * 60_000, timeout_s=WAIT_S)
    ionto("comfort", "stinging", "--keep")
    ionto("abort")


def conclude() -> None:
    """Show the course, draw its page, export it."""
    print("\n# The course", flush=True)
    ionto("course", "status", CODE)
    ionto("course", "report", CODE, "--output", str(FOLDER / "course.html"))
    ionto("course", "export", CODE, "--output", str(FOLDER / "course.json"))


def judge(metered_uc: float) -> list[str]:
    """Return what did not go as told in SESSIONS, each as a sentence."""
    exported: dict[str, Any] = json.loads((FOLDER / "course.json").read_text(encoding="utf-8"))["courses"][0]
    sessions = exported["sessions"]
    failures: list[str] = []
    outcomes = [item["facts"]["outcome"] for item in sessions]
    if outcomes != [played.outcome for played in SESSIONS]:
        failures.append(f"the outcomes are {', '.join(outcomes)}")
    told = [{*each.reactions, *(["stinging"] if each.happens == "stinging" else [])} for each in SESSIONS]
    if [set(item["reactions"]) for item in sessions] != told:
        failures.append("other reactions are recorded than were told")
    if sessions[4]["current_ma"] >= sessions[3]["current_ma"]:
        failures.append("the session after the one that stung was not lower")
    if not all(item["facts"]["log_verified"] for item in sessions):
        failures.append("a log does not verify")
    counted = sum(item["facts"]["dose_delivered_ma_min"] for item in sessions)
    metered = ma_min(metered_uc)
    if abs(counted / metered - 1) > TOLERANCE:
        failures.append(f"{metered:.3f} mA*min were metered, the course counts {counted:.3f}")
    print(f"\n{counted:.3f} mA*min counted by the course, {metered:.3f} by the independent meter.")
    return failures


if __name__ == "__main__":
    sys.exit(main())
