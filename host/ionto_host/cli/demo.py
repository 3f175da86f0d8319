"""`make demo`: a dose from intent to proof on a virtual Pico, through the commands a user types.

Everything is left in build/demo/: the log, session.csv, session.png and summary.json. Exit code 1 when the
session is not complete, the meter is more than 0.5 % off the prescription, or the log does not verify.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ionto_host.logs import sessionfile
from ionto_host.logs import store as logstore
from ionto_host.transport import simulators
from ionto_host.units import ma_min

DOSE = "examples/plantar_fasciitis_dexamethasone.toml"
SCREENING = "examples/answers/simulated_load.toml"
FOLDER = Path("build/demo")
TOLERANCE = 0.005
SIM_START_S = 30.0
SIM_STOP_S = 15.0
ENVIRONMENT = {
    "IONTO_SIMS": str(FOLDER / "sims"),
    "IONTO_LOGS": str(FOLDER / "logs"),
    "IONTO_PORT": str(FOLDER / "sims" / "default" / "port"),
}


class DemoError(Exception):
    """Raised when a step of the demonstration fails; the message says which."""


def main() -> int:
    """Run the demonstration in the current folder and return the exit code."""
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.environ.update(ENVIRONMENT)
    print("$ export " + " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items()), flush=True)
    try:
        with virtual_pico():
            metered_uc = session()
        summary = conclude(metered_uc, began)
    except DemoError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    failures = judge(summary)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def session() -> float:
    """Flash, push, run and pull as a user does; return the charge that the independent meter saw, in uC."""
    ionto("devices")
    ionto("flash")
    ionto("clock", "set")
    ionto("dose", "push", DOSE, "--screening", SCREENING)
    before_uc = meter_uc()
    ionto("start")
    ionto("monitor", "--timeout", "600")
    metered_uc = meter_uc() - before_uc
    ionto("logs", "pull")
    ionto("logs", "show", "--csv", str(FOLDER / "session.csv"), "--png", str(FOLDER / "session.png"))
    ionto("report", "--output", str(FOLDER / "report.html"))
    return metered_uc


def ionto(*arguments: str) -> None:
    """Print and run one `ionto` command; `DemoError` when it fails."""
    print(f"\n$ {shlex.join(['ionto', *arguments])}", flush=True)
    code = subprocess.run([sys.executable, "-m", "ionto_host", *arguments], check=False).returncode
    if code:
        raise DemoError(f"`ionto {' '.join(arguments)}` ended with exit code {code}")


@contextmanager
def virtual_pico() -> Iterator[None]:
    """Run `ionto sim` beside the other commands, as in a second terminal."""
    arguments = ["sim", "--speed", "max", "--bench-strap", "--load", "skin"]
    print(f"\n$ {shlex.join(['ionto', *arguments])} &", flush=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "ionto_host", *arguments], stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for_port(process)
        yield
    finally:
        process.terminate()
        try:
            process.wait(SIM_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SIM_START_S
    while not simulators.running():
        if process.poll() is not None:
            raise DemoError(f"`ionto sim` ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise DemoError("`ionto sim` did not come up")
        time.sleep(0.05)


def meter_uc() -> float:
    """Return the charge that has flowed by the simulator's independent meter, in uC."""
    with simulators.connect(None) as pico:
        return float(pico.meter().charge_uc)


def conclude(metered_uc: float, began: float) -> dict[str, Any]:
    """Write summary.json, print the table, and return the summary."""
    log = sessionfile.read(logstore.find("last"))
    facts = sessionfile.summary(log)
    summary = {
        "outcome": facts["outcome"],
        "dose_prescribed_ma_min": facts["dose_prescribed_ma_min"],
        "dose_delivered_ma_min": facts["dose_delivered_ma_min"],
        "dose_metered_ma_min": ma_min(metered_uc),
        "duration_s": facts["duration_s"],
        "records": facts["records"],
        "log_verified": facts["log_verified"],
        "wall_s": round(time.monotonic() - began, 1),
    }
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print()
    for name, value in summary.items():
        print(f"{name:<24} {value:.4f}" if isinstance(value, float) else f"{name:<24} {value}")
    print(f"\nIn {FOLDER}/: " + ", ".join(sorted(path.name for path in FOLDER.iterdir() if path.is_file())))
    return summary


def judge(summary: dict[str, Any]) -> list[str]:
    """Return what is wrong with `summary`, each as a sentence; an empty list for a good session."""
    failures: list[str] = []
    prescribed, metered = summary["dose_prescribed_ma_min"], summary["dose_metered_ma_min"]
    if summary["outcome"] != "complete":
        failures.append(f"the outcome is {summary['outcome']}, not complete")
    if not prescribed or abs(metered / prescribed - 1) > TOLERANCE:
        failures.append(f"{metered:.4f} mA*min were metered, {prescribed} prescribed: more than 0.5 % apart")
    if not summary["log_verified"]:
        failures.append("the log does not verify")
    return failures


if __name__ == "__main__":
    sys.exit(main())
