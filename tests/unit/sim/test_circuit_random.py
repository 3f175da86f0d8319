"""The lazy circuit against itself worked out in small steps, over random sequences of what can happen to it."""

from __future__ import annotations

import random

import pytest

from ionto_sim import circuit as model
from ionto_sim import faults, parameters
from ionto_sim.circuit import FULL_DUTY, Circuit

STEP_US = 50
CIRCUIT_FAULTS = [name for name, kind, _ in faults.TABLE if kind == "circuit"]
LOADS = [0, 1000, 4000, 9000, "skin", "open", {"kind": "sweep", "start_ohm": 9000, "end_ohm": 500, "seconds": 1}]


class Plodder(Circuit):
    """A circuit that never takes the short way: nothing but small pieces."""

    def _choose(self, now_us: int) -> None:
        self.mode = model.SLOW
        self._calm_us = self._until_us = now_us

    def set_duty(self, now_us: int, duty: int) -> None:
        """Take the long way."""
        if duty != self.duty:
            self.duty = duty
            self.settle_at(now_us)
            self._steer(now_us)


def both(variant: str, spec: object) -> tuple[Circuit, Circuit]:
    """Return the circuit and its plodding twin, running."""
    values = parameters.board(variant)
    pair = (Circuit(values, spec), Plodder(values, spec))
    for each in pair:
        each.set_bench_strap(0, True)
        each.set_boost(0, True)
    return pair


def happen(chance: random.Random, at_us: int, pair: tuple[Circuit, Circuit]) -> str:
    """Let one random thing happen to both; return what."""
    kind = chance.choice(["duty"] * 6 + ["fault", "cure", "stop", "relay", "boost", "load", "vbus"])
    if kind == "duty":
        change = ("set_duty", chance.randrange(FULL_DUTY + 1))
    elif kind in ("fault", "cure"):
        name = chance.choice(CIRCUIT_FAULTS)
        for each in pair:
            each.set_fault(at_us, name, kind == "fault")
        return f"{kind} {name}"
    elif kind == "load":
        change = ("set_load", chance.choice(LOADS))
    else:
        method = {"stop": "press_stop", "relay": "set_relay", "boost": "set_boost", "vbus": "set_vbus"}[kind]
        change = (method, chance.random() < 0.3 if kind != "boost" else chance.random() < 0.8)
    for each in pair:
        getattr(each, change[0])(at_us, change[1])
    return f"{change}"


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize("seed", range(25))
def test_lazy_and_plodding_agree(seed: int) -> None:
    chance = random.Random(seed)
    pair = both(chance.choice("AB"), chance.choice(LOADS))
    story = []
    level, now = 1, 0
    next_event = chance.randrange(50_000)
    while now < 400_000:
        now += STEP_US
        pair[1].settle_at(now)
        if now % 2000 == 0:
            for each in pair:
                each.heartbeat(now, level)
            level = 1 - level
        if now % 1000 == 100:
            pair[0].advance(now)
        if now >= next_event:
            story.append(f"{now}: {happen(chance, now, pair)}")
            next_event = now + chance.randrange(1000, 40_000)
        if now % 10_000 == 0:
            pair[0].settle_at(now)
            lazy, slow = pair[0].current_na, pair[1].current_na
            full = pair[0].values["ceiling_ua"] * 1e3
            assert lazy == pytest.approx(slow, rel=0.01, abs=0.003 * full), "\n".join(story)
            charges = [each.charge_fc / 1e9 for each in pair]
            assert charges[0] == pytest.approx(charges[1], rel=0.01, abs=full * 3e-3 * 1e-6), "\n".join(story)
