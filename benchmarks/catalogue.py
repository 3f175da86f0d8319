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
    tier: Tier
    name: str
    unit: str
    how: str
    goal: Goal | None = None
    peer: str = ""


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
_SHIM = "our thinnest busio and I2CDevice on machine.I2C; mean of 200 calls"
_WIRE = "USB wire time counted"

GROUPS: dict[str, tuple[Spec, ...]] = {
    "host_tool": (
        Spec("help_ms", "host", "ionto --help", "ms", "best of 3 starts of the command"),
        Spec("decode_mb_s", "host", "frames decoded", "MB/s", "500 frames of 1 kB in reads of 4 kB", at_least(0.74)),
        Spec("log_ms", "host", "log of a 20 min session decoded", "ms", "1,400 samples, best of 5", at_most(300)),
    ),
    "virtual_pico": (
        Spec("virtual_factor", "virtual", "virtual time while 4 mA flow", "x real", "8 s of a hold", at_least(20)),
        Spec("virtual_session_s", "virtual", "20 min session", "s", "from the factor above", at_most(60)),
        Spec("virtual_tick_us", "virtual", "tick of firmware and circuit", "us wall", "as above", at_most(50)),
    ),
    "control_loop": (
        Spec("control_mean_us", "emulated", "control part, mean", "us", f"{_PIN}; {_SESSION}", at_most(500)),
        Spec("control_p99_us", "emulated", "control part, 99 of 100 below", "us", "as above", at_most(500)),
        Spec("control_max_us", "emulated", "control part, longest", "us", "as above", at_most(500)),
        Spec(
            "quiet_mean_us", "emulated", "control part without requests, mean", "us", f"{_PIN}; {_QUIET}", at_most(500)
        ),
        Spec("quiet_max_us", "emulated", "control part without requests, longest", "us", "as above", at_most(500)),
        Spec("jitter_p99_us", "emulated", "jitter of the period, 99 of 100 below", "us", f"off 1,000 us; {_SESSION}"),
        Spec("jitter_max_us", "emulated", "jitter of the period, largest", "us", "as above"),
        Spec("late_ticks", "emulated", "late ticks", "count", "periods over 1.1 ms in the session", at_most(0)),
        Spec("cycles", "emulated", "cycles looked at", "count", "in the session"),
        Spec("twice", "emulated", "conversions used twice", "count", "the INA219 model's conversions", at_most(0)),
        Spec(
            "sample_gap_us", "emulated", "shortest time between samples", "us", "a conversion takes 586", at_least(586)
        ),
        Spec(
            "garbage_b",
            "emulated",
            "bytes allocated a step and left",
            "B",
            f"the allocator's table; {_QUIET}",
            at_most(0),
        ),
        Spec(
            "frames_b",
            "emulated",
            "bytes allocated a step and freed",
            "B",
            f"the allocator's count; {_QUIET}",
            at_most(0),
        ),
        Spec("answer_ms", "emulated", "STATUS answered, slowest", "ms", f"request sent to answer whole; {_SESSION}"),
    ),
    "memory": (
        Spec("free_kib", "emulated", "heap free in a session, least", "KiB", "the allocator's table", at_least(64)),
        Spec("live_collections", "emulated", "collections while current flows", "count", "its count falls", at_most(0)),
        Spec("collection_ms", "emulated", "longest collection, output off", "ms", "gc.collect() timed on a spare pin"),
    ),
    "boot": (
        Spec("ready_ms", "emulated", "reset to the first control step", "ms", "RUN pin to LOOP_TIMING", at_most(500)),
        Spec("first_ready_ms", "emulated", "first boot to the first control step", "ms", "after flashing"),
        Spec("import_ms", "emulated", "import of the whole firmware, .mpy", "ms", "module by module, leaves first"),
        Spec("import_kib", "emulated", "heap the import keeps", "KiB", "gc.mem_alloc() after collections"),
    ),
    "peers": (
        Spec("sample_us", "emulated", "INA219 sample", "us", f"{_SHIM}", at_most(95), "adafruit .shunt_voltage"),
        Spec("sample_b", "emulated", "INA219 sample", "B", "as above", at_most(0), "adafruit .shunt_voltage"),
        Spec("current_us", "emulated", "INA219 current in uA", "us", "as above", None, "adafruit .current"),
        Spec("current_b", "emulated", "INA219 current in uA", "B", "as above", at_most(0), "adafruit .current"),
        Spec("pyb_us", "emulated", "INA219 current in uA, second peer", "us", "as above", None, "pyb_ina219 current()"),
        Spec(
            "pyb_b",
            "emulated",
            "INA219 current in uA, second peer",
            "B",
            "as above",
            at_most(0),
            "pyb_ina219 current()",
        ),
    ),
    "transfers": (
        Spec(
            "pull_kb_s",
            "emulated",
            "log pull",
            "kB/s",
            f"64 KiB, {_WIRE}, a host that takes no time",
            at_least(400),
            "mpremote fs cp",
        ),
        Spec(
            "flash_s",
            "emulated",
            "flash onto a blank board",
            "s",
            f"the whole command, {_WIRE}",
            None,
            "mpremote fs cp -r",
        ),
    ),
}

SPECS: dict[str, Spec] = {spec.key: spec for group in GROUPS.values() for spec in group}
