"""Every number that is measured: name, unit, tier, goal, and how it is measured. Goals stand here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Tier = Literal["host", "virtual", "emulated"]


@dataclass(frozen=True)
class Goal:
    """What a value has to reach: "at most" or "at least" `bound`, in the unit of the row."""

    kind: Literal["at most", "at least"]
    bound: float

    def met(self, value: float) -> bool:
        """Return True when `value` reaches the goal."""
        return value <= self.bound if self.kind == "at most" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.kind} {self.bound:g}"


@dataclass(frozen=True)
class Spec:
    """One row before it is measured. `peer` names what the value is compared with, if anything."""

    key: str
    name: str
    unit: str
    how: str
    goal: Goal | None = None
    peer: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that one module of this package measures together, on one tier."""

    tier: Tier
    specs: tuple[Spec, ...]


@dataclass(frozen=True)
class Result:
    """The value of the row `key`, the peer's in the same unit, what the value is made of, why there is no peer's."""

    key: str
    value: float
    peer_value: float | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def at_most(bound: float) -> Goal:
    """Return the goal of at most `bound`."""
    return Goal("at most", bound)


def at_least(bound: float) -> Goal:
    """Return the goal of at least `bound`."""
    return Goal("at least", bound)


_SESSION = "ramp and hold, 4 mA, STATUS at 10 Hz, log buffer filling"
_QUIET = "one second of the hold without any request"
_PIN = "pin LOOP_TIMING, high while a control step runs"
_TABLE = "the allocator's table, read from outside"
_SHIM = "mean of 200 calls; the peer on our thinnest I2CDevice"
_COMMAND = "start of the command to its end, USB wire time counted"
_OPEN = "the peer copies the modules one by one"
_PULL = "64 KiB, USB wire time counted, a host that takes no time"

GROUPS: dict[str, Group] = {
    "host_tool": Group(
        "host",
        (
            Spec("help_ms", "ionto --help", "ms", "processor time, best of 3 starts of the command", at_most(250)),
            Spec("decode_mb_s", "frames decoded", "MB/s", "250 frames of 2 kB in reads of 4 kB", at_least(0.74)),
            Spec("log_ms", "log of a 20 min session decoded", "ms", "1,200 samples, best of 5", at_most(300)),
            Spec("list_ms", "1,000 pulled sessions listed", "ms", "from the index, best of 5", at_most(500)),
        ),
    ),
    "virtual_pico": Group(
        "virtual",
        (
            Spec("virtual_factor", "virtual time while 4 mA flow", "x real", "8 s of a hold", at_least(20)),
            Spec("virtual_session_s", "20 min session", "s", "from the factor above", at_most(60)),
            Spec("virtual_tick_us", "tick of firmware and circuit", "us wall", "from the factor above", at_most(50)),
        ),
    ),
    "control_loop": Group(
        "emulated",
        (
            Spec("control_mean_us", "control part, mean", "us", f"{_PIN}; {_SESSION}", at_most(400)),
            Spec("control_p99_us", "control part, 99 of 100 below", "us", "as above", at_most(400)),
            Spec("control_max_us", "control part, longest", "us", "as above", at_most(400)),
            Spec("quiet_mean_us", "control part without requests, mean", "us", f"{_PIN}; {_QUIET}", at_most(400)),
            Spec("quiet_max_us", "control part without requests, longest", "us", "as above", at_most(400)),
            Spec("jitter_p99_us", "jitter of the period, 99 of 100 below", "us", f"off 1,000 us; {_SESSION}"),
            Spec("jitter_max_us", "jitter of the period, largest", "us", "as above"),
            Spec("late_ticks", "late ticks", "count", f"periods over 1.1 ms; {_SESSION}", at_most(0)),
            Spec("cycles", "control cycles looked at", "count", _SESSION),
            Spec("twice", "conversions used twice", "count", "the INA219 model's conversions", at_most(0)),
            Spec("sample_gap_us", "shortest time between samples", "us", "a conversion takes 586", at_least(586)),
            Spec("garbage_b", "bytes allocated a step and left", "B", f"{_TABLE}; {_QUIET}", at_most(0)),
            Spec("frames_b", "bytes allocated a step and freed", "B", f"the allocator's count; {_QUIET}", at_most(0)),
            Spec("request_b", "bytes a STATUS request leaves", "B", f"{_TABLE}; {_SESSION}", at_most(0)),
            Spec("answer_ms", "STATUS answered, slowest", "ms", f"request sent to answer whole; {_SESSION}"),
        ),
    ),
    "memory": Group(
        "emulated",
        (
            Spec("free_kib", "heap free in a session, least", "KiB", f"{_TABLE}; {_SESSION}", at_least(96)),
            Spec("live_collections", "collections while current flows", "count", _SESSION, at_most(0)),
            Spec("collection_ms", "longest collection, output off", "ms", "gc.collect() of a session on a spare pin"),
        ),
    ),
    "boot": Group(
        "emulated",
        (
            Spec("ready_ms", "reset to the first control step", "ms", "RUN pin to LOOP_TIMING", at_most(300)),
            Spec("first_ready_ms", "first boot to the first control step", "ms", "power-on of a board just flashed"),
            Spec("import_ms", "import of the whole firmware", "ms", "at the prompt, its check included"),
            Spec("import_kib", "heap the import keeps", "KiB", "gc.mem_alloc() after collections"),
        ),
    ),
    "peers": Group(
        "emulated",
        (
            Spec("sample_us", "INA219 sample, time", "us", _SHIM, at_most(95), "adafruit .shunt_voltage"),
            Spec("sample_b", "INA219 sample, heap", "B", _SHIM, at_most(0), "adafruit .shunt_voltage"),
            Spec("current_us", "INA219 current, time", "us", _SHIM, None, "adafruit .current"),
            Spec("current_b", "INA219 current, heap", "B", _SHIM, at_most(0), "adafruit .current"),
            Spec("pyb_us", "INA219 current, time", "us", "mean of 200 calls", None, "pyb_ina219 current()"),
            Spec("pyb_b", "INA219 current, heap", "B", "mean of 200 calls", at_most(0), "pyb_ina219 current()"),
        ),
    ),
    "transfers": Group(
        "emulated",
        (
            Spec("pull_kb_s", "log pull", "kB/s", _PULL, at_least(400), "mpremote fs cp"),
            Spec("flash_s", "flash, blank board", "s", f"{_COMMAND}; same files, no test", None, "mpremote fs cp -r"),
            Spec("flash_factor", "flash, times as fast as mpremote", "x", "from the row above", at_least(1)),
            Spec(
                "flash_open_s",
                "flash, blank board",
                "s",
                f"{_COMMAND}; {_OPEN}",
                None,
                "mpremote fs cp -r, a file a module",
            ),
        ),
    ),
}
