"""The engine: exact times, changes between them, a fork in the middle of a run, bounded memory, loud failures."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import Any

import pytest

from ionto_sim.spice import mutations
from ionto_sim.spice.drawing import Deck, Drawing
from ionto_sim.spice.engine import Engine
from ionto_sim.spice.errors import SpiceFailedError

LEAK = mutations.leak("SNS", "GND", 201)
ONE_BLEEDER = mutations.open_pin("R17", "1")
DRAWING = Drawing.read("A")


def plain(*lines: str) -> Deck:
    """Return a deck of a few lines; ngspice's load current is that of Vload."""
    return Deck(("* test", "Vload a 0 dc 1", *lines), {}, DRAWING)


def drive(engine: Engine, gpio: int, volt: float, tail: str = "") -> None:
    """Let a GPIO drive `volt`."""
    engine.set(f"RA1_gp{gpio}{tail}", 40.0)
    engine.set(f"IA1_gp{gpio}{tail}", volt / 40.0)


def beat(engine: Engine, start_ms: int, end_ms: int) -> None:
    """Run from one time to another with an edge of the heartbeat every 2 ms."""
    for now in range(start_ms, end_ms):
        if now % 2 == 0:
            drive(engine, 22, 3.3 * (now // 2 & 1))
        engine.advance((now + 1) * 1e-3)


def flowing() -> Engine:
    """Return the drawing with 2 mA in 2 kohm, 80 ms after its power came."""
    engine = Engine(DRAWING.deck(armed=[LEAK, ONE_BLEEDER]))
    drive(engine, 6, 3.3)
    drive(engine, 2, 3.3)
    drive(engine, 2, 0.0, "_low")
    engine.set("VU3_duty", 0.4)
    beat(engine, 0, 80)
    return engine


def load_ua(engine: Engine) -> float:
    """Return the load's current in uA."""
    return engine.load.now() * 1e6


def test_a_change_counts_from_the_time_at_which_it_was_made() -> None:
    engine = Engine(plain("R1 a b 1k", "C1 b 0 1u"))
    engine.advance(10e-3)
    engine.set("Vload", 2.0)
    engine.advance(11e-3)
    assert engine.time == pytest.approx(11e-3, abs=4e-7)
    assert engine.value("b") == pytest.approx(2 - 2.718281828**-1, rel=5e-3)
    engine.set("R1", 1e12)
    held = engine.value("b")
    engine.advance(12e-3)
    assert engine.value("b") == pytest.approx(held, rel=1e-3)


def test_a_circuit_may_begin_where_another_was() -> None:
    engine = Engine(plain("R1 a b 1k", "C1 b 0 1u"), initial={"a": 1.0, "b": 0.5})
    engine.advance(1e-3)
    assert engine.value("b") == pytest.approx(1 - 0.5 * 2.718281828**-1, rel=0.01)


def test_means_and_charge_are_of_every_point_between() -> None:
    engine = Engine(plain("R1 a b 1k", "C1 b 0 1u"))
    engine.set("Vload", 0.0)
    engine.advance(10e-3)
    watch = engine.watch("a", "b")
    engine.set("Vload", 1.0)
    for step in range(1, 21):
        engine.advance(10e-3 + step * 0.5e-3)
    assert watch.integral == pytest.approx(1e-3, rel=0.01)
    assert watch.peak == pytest.approx(1.0, rel=0.02)
    assert watch.peak_ms == pytest.approx(1 - 2.718281828**-1, rel=0.02)
    assert watch.mean(11e-3, 12e-3) == pytest.approx(0.3679 - 0.1353, rel=0.02)


def fork_and_tell() -> None:
    """Print what copies of a running circuit find and what their parent finds after them, as JSON."""
    engine = flowing()
    found: dict[str, Any] = {"threads": len(os.listdir("/proc/self/task"))}
    for name, fault in (("leaking", LEAK), ("sound", None), ("again", LEAK)):
        out, into = os.pipe()
        if os.fork() == 0:
            os.write(into, json.dumps(go_on(engine, fault)).encode())
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as pipe:
            found[name] = json.load(pipe)
    found["parent"] = go_on(engine, None)
    print(json.dumps(found))


def go_on(engine: Engine, fault: mutations.Mutation | None) -> tuple[float, float]:
    """Run on with `fault`; return the load's current and charge."""
    if fault:
        engine.switch(fault)
    beat(engine, 80, 120)
    return load_ua(engine), engine.load.integral


def test_a_fork_in_the_middle_goes_on_in_parent_and_child_alike() -> None:
    """In a process of its own: pytest's may have threads."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["threads"] == 1, "a thread would not survive the fork"
    assert found["leaking"] == found["again"], "the same fault gives the same figures in each copy"
    assert found["leaking"][0] == pytest.approx(2 * found["sound"][0], rel=0.005), (
        "half the current leaks past the shunt"
    )
    assert found["parent"] == found["sound"], "and the parent is where its copies began"


def test_memory_does_not_grow_with_the_time_simulated() -> None:
    engine = Engine(plain("R1 a b 1k", "C1 b 0 1u"))
    for step in range(1, 2001):
        engine.advance(step * 1e-3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for step in range(2001, 20001):
        engine.advance(step * 1e-3)
    assert engine.points > 50_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000, "kB"


def test_a_circuit_that_ngspice_refuses_is_told_with_its_own_words() -> None:
    with pytest.raises(SpiceFailedError, match="nomodel"):
        Engine(plain("D1 a 0 NOMODEL"))


def test_a_second_circuit_ends_the_first() -> None:
    Engine(plain("R1 a 0 1k"))
    second = Engine(plain("R1 a 0 2k"))
    second.advance(1e-3)
    assert abs(second.value("vload#branch")) == pytest.approx(0.5e-3)


if __name__ == "__main__":
    fork_and_tell()
