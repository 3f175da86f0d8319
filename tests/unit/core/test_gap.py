"""A cycle that comes late with current flowing: the log has the charge, or names the gap and its bound."""

from __future__ import annotations

import pytest
from plant import device, dose_fields

from ionto import faults, limits, protocol
from ionto import sessionlog_format as fmt


@pytest.mark.hazard("HAZ-14", "HAZ-22")
@pytest.mark.parametrize("late_ms", [3, 10, 40, 100, 400])
@pytest.mark.parametrize("state", [protocol.RAMP_UP, protocol.HOLD, protocol.RAMP_DOWN])
@pytest.mark.parametrize("variant", ["A", "B"])
def test_a_late_cycle_is_named_with_the_most_that_flowed(variant: str, state: int, late_ms: int) -> None:
    """The dead-man lets the current flow on for 60 ms: by the meter it is within what the log says."""
    with device(variant) as board:
        board.hal.bench_strap = True
        board.run(2)
        board.start()
        board.until(state)
        board.run(500)
        assert board.state == state
        before_uc, logged_uc = board.plant.charge_uc, board.app.session.charge_uc
        board.hal.spend(late_ms * 1_000)
        board.run(300)
        end = board.log()[-1][1]
        (gap,) = [row for name, rows in board.log() if name == "events" for row in rows if row["event"] == fmt.GAP]
        assert (end["fault"], gap["code"]) == (faults.LATE_LOOP, late_ms)
        flowed_uc = board.plant.charge_uc - before_uc
        beside_uc = end["charge_uc"] - logged_uc - gap["value_b"]
        assert flowed_uc <= beside_uc + gap["value_a"] + 1
        longest_ms = min(late_ms + 1, 125)
        current_ua = dose_fields(limits.for_variant(variant))["current_ua"]
        assert gap["value_a"] <= (current_ua * 1.0625 + 60) * longest_ms / 1_000 + 1, "no looser than the guards"
