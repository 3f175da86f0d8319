"""What a boot means, told from one word that survives resets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ionto import bootmode
from ionto.bootmode import Boot, mark
from ionto_host.tables import fault_names


@pytest.mark.hazard("HAZ-21")
@given(st.integers(0, 3), st.integers(0, 10_000), st.sampled_from(sorted(fault_names())))
def test_a_mark_comes_back(state: int, unplanned: int, fault: int) -> None:
    word = mark(state, unplanned, fault)
    assert 0 <= word < 2**30, "allocates nothing on the device"
    boot = Boot(word, False)
    assert boot.fault == fault
    expected = min(unplanned, 15) + (state == bootmode.RUNNING)
    assert boot.unplanned == expected
    assert boot.cause == (bootmode.WATCHDOG if state == bootmode.RUNNING else bootmode.REQUESTED)


@pytest.mark.hazard("HAZ-21", "HAZ-30")
@given(st.integers(0, 2**32 - 1).filter(lambda word: word & 0x3FFF0000 != 0x10AF0000), st.booleans())
def test_what_is_not_a_mark_is_a_power_on(word: int, strap: bool) -> None:
    """Scratch registers hold anything after power-on."""
    boot = Boot(word, strap)
    assert (boot.cause, boot.unplanned, boot.maintenance) == (bootmode.POWER_ON, 0, strap)


@pytest.mark.hazard("HAZ-30")
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_any_word_is_some_boot(word: int, strap: bool) -> None:
    boot = Boot(word, strap)
    assert boot.cause in (bootmode.POWER_ON, bootmode.REQUESTED, bootmode.WATCHDOG)
    assert boot.maintenance or not strap
    assert Boot(boot.word(), False).cause == bootmode.REQUESTED


@pytest.mark.hazard("HAZ-30")
def test_three_unplanned_resets_in_a_row_end_in_maintenance_and_are_forgiven() -> None:
    """Against a reset loop. The third lands where a person can look; the boot after that runs again."""
    word, seen = 0, []
    for _ in range(4):
        boot = Boot(word, False)
        seen.append((boot.unplanned, boot.maintenance))
        word = mark(bootmode.RUNNING, boot.unplanned)
    assert seen == [(0, False), (1, False), (2, False), (3, True)]
    after = Boot(Boot(word, False).word(), False)
    assert Boot(mark(bootmode.RUNNING, 2), False).maintenance
    assert not after.maintenance or after.unplanned >= bootmode.MAX_UNPLANNED
    assert Boot(Boot(mark(bootmode.RUNNING, 2), False).word(), False).unplanned == 0


@pytest.mark.hazard("HAZ-21", "HAZ-30")
def test_a_watchdog_reset_is_counted_once_and_kept_through_a_requested_one() -> None:
    boot = Boot(mark(bootmode.RUNNING, 0), False)
    assert (boot.cause, boot.unplanned, boot.maintenance) == (bootmode.WATCHDOG, 1, False)
    again = Boot(boot.word(), False)
    assert (again.cause, again.unplanned) == (bootmode.REQUESTED, 1)


@pytest.mark.parametrize("state", [bootmode.BOOTED, bootmode.RUNNING, bootmode.TO_MAINTENANCE])
def test_the_strap_always_wins(state: int) -> None:
    assert Boot(mark(state, 0), True).maintenance


def test_a_command_leads_to_maintenance_once() -> None:
    boot = Boot(mark(bootmode.TO_MAINTENANCE, 0), False)
    assert boot.maintenance
    assert not Boot(boot.word(), False).maintenance


class BootMachine(RuleBasedStateMachine):
    """Resets of every kind in any order: the count of unplanned ones in a row, kept by hand beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.word = 0
        self.boot = Boot(self.word, False)
        self.in_a_row = 0

    def reset(self) -> None:
        self.boot = Boot(self.word, False)
        assert self.boot.unplanned == self.in_a_row
        assert self.boot.maintenance == (self.in_a_row >= 3)
        if self.boot.maintenance:
            self.in_a_row = 0
        self.word = self.boot.word()

    @rule()
    def crash(self) -> None:
        if not self.boot.maintenance:
            self.word = mark(bootmode.RUNNING, self.boot.unplanned)
            self.in_a_row += 1
        self.reset()

    @rule()
    def reset_by_hand_before_running(self) -> None:
        self.reset()

    @rule()
    def power_cut(self) -> None:
        self.word, self.in_a_row = 0, 0
        self.reset()

    @rule()
    def crashes_after_it_ran_long_enough(self) -> None:
        if not self.boot.maintenance:
            self.boot.unplanned, self.in_a_row = 0, 0
            self.crash()


TestBootMachine = BootMachine.TestCase
TestBootMachine.settings = settings(max_examples=30, stateful_step_count=20)
