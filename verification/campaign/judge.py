"""The criteria: what the findings of one row have to be, and by how much they are."""

from __future__ import annotations

from dataclasses import dataclass, field

from ionto import sessionlog_format as layout
from ionto_host.device import messages
from ionto_host.logs.sessionfile import Session
from verification.campaign.catalogue import (
    AT_REST,
    CEILING_UA,
    DEAD_MAN_MS,
    DELIVERING,
    QUIET,
    Expect,
    Fault,
)
from verification.campaign.rig import CURRENT_UA, DOSE_UC
from verification.campaign.scenario import Findings

OFF_UA = 10.0
DOSE_SHARE = 0.005
_OVERSHOOT_SHARE = 0.05  # of the set-point, for a load that jumps; regulation itself keeps within 1 %
_SELF_TEST_UA = 60.0
_SELF_TEST_MS = 600
_WORD_MS = 70  # between two words to the next boot, of charge and time so far
_WRAP_MS = 25


@dataclass
class Verdict:
    """`failures` of one expectation, and its `bounds` {figure: (value, most)}."""

    expect: Expect
    failures: list[str] = field(default_factory=list)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)

    def require(self, holds: bool, complaint: str) -> None:
        """Note `complaint` unless it `holds`."""
        if not holds:
            self.failures.append(complaint)

    def bound(self, name: str, value: float | None, most: float) -> None:
        """Note a figure and the most it may be; None is a failure."""
        if value is None:
            self.failures.append(f"{name}: not measured")
            return
        self.bounds[name] = (value, most)
        self.require(value <= most, f"{name} {value:.0f}, at most {most:.0f}")

    @property
    def worst(self) -> tuple[str, float]:
        """The figure that comes closest to its bound, or passes it furthest, and the share of the bound it takes."""
        shares = {name: value / most for name, (value, most) in self.bounds.items() if most}
        name = max(shares, key=lambda key: shares[key], default="")
        return name, shares.get(name, 0.0)


class Judge:
    """Holds the findings of one row against the expectations for it."""

    def __init__(self, fault: Fault, state: str, board: str, found: Findings) -> None:
        self.fault = fault
        self.state = state
        self.dead_man_ms = DEAD_MAN_MS[board]
        self.found = found

    def verdict(self) -> Verdict:
        """Return the verdict by the expectation that holds, or that comes closest."""
        verdicts = [self._judge(expect) for expect in self._expected()]
        return min(verdicts, key=lambda verdict: len(verdict.failures))

    def _expected(self) -> tuple[Expect, ...]:
        if self.state == "FAULT" or (self.state in AT_REST and self.fault.at_rest[0] is not QUIET):
            return self.fault.at_rest
        return self.fault.expected(self.state)

    def _judge(self, expect: Expect) -> Verdict:
        verdict = Verdict(expect)
        self._always(verdict)
        if self.state == "FAULT":
            self._stays_latched(verdict)
        else:
            getattr(self, f"_{expect.result}")(verdict)
        return verdict

    # What holds for every row.

    def _always(self, verdict: Verdict) -> None:
        found = self.found
        meter, reading = found.meter, found.reading
        assert meter is not None and reading is not None
        verdict.bound("peak_ua", reading.peak_ua, CEILING_UA)
        verdict.require(meter.hot_switches <= self.fault.hot_switches, "the relay moved under current")
        verdict.require(found.crashes == 0, "the virtual machine crashed")
        if found.before is not None:
            verdict.require(found.before.peak_ua <= OFF_UA, f"{found.before.peak_ua:.0f} uA flowed at rest")
        if found.after is not None:
            verdict.require(found.after.peak_ua <= OFF_UA, f"{found.after.peak_ua:.0f} uA flowed afterwards")
        if found.state_seen:
            verdict.require(found.state_seen == self.state, f"the fault came in {found.state_seen}")
        if found.wrap_ms is not None:
            near = found.wrap_ms < 0 if self.state in (*AT_REST, "PAUSED", "FAULT") else abs(found.wrap_ms) < _WRAP_MS
            verdict.require(near, f"the clock wrapped {-found.wrap_ms:.0f} ms after the state was reached")
        for log in found.logs:
            damage = ", ".join(item.reason for item in log.damage)
            verdict.require(log.verified, f"the log is not whole: {damage}")

    # The results.

    def _cut(self, verdict: Verdict) -> None:
        found, expect = self.found, verdict.expect
        self._cut_in_time(verdict)
        self._latched(verdict)
        self._log_tells(verdict, expect.blind)
        if found.logs:
            codes = [
                messages.name_of(item.code) for item in found.logs[-1].events if item.event == layout.FAULT_LATCHED
            ]
            verdict.require(_fault(found) in codes, f"the log does not name {_fault(found)}")

    def _cut_in_time(self, verdict: Verdict) -> None:
        expect, reading = verdict.expect, self.found.reading
        assert reading is not None
        if expect.after_dose:
            self._dose_is_right(verdict)
            return
        time_ms = expect.detect_ms + self.dead_man_ms
        charge_uc = CEILING_UA * time_ms / 1_000
        taken_us: float | None = reading.t_below_us
        if self.state not in DELIVERING:
            taken_us = float(reading.on_us)
            lead_ms = expect.lead_ms + (_SELF_TEST_MS if self.state in ("SELF_TEST", *AT_REST) else 0)
            time_ms += lead_ms
            charge_uc += CURRENT_UA * expect.lead_ms / 1_000 + _SELF_TEST_UA * _SELF_TEST_MS / 1_000
        verdict.bound("time_ms", None if taken_us is None else taken_us / 1_000, time_ms)
        verdict.bound("charge_after_uc", reading.charge_uc, charge_uc)

    def _latched(self, verdict: Verdict) -> None:
        found, expect = self.found, verdict.expect
        name = _fault(found)
        verdict.require(name in expect.codes, f"latched {name}, expected {' or '.join(expect.codes)}")
        last = found.last
        assert last is not None
        verdict.require(last.state_name == "FAULT", f"the fault did not stay latched: {last.state_name}")
        verdict.require(found.start_refusal != "", "START was accepted with the fault latched")
        verdict.require(not found.clear_refusal, f"the fault is gone and CLEAR_FAULT answered {found.clear_refusal}")

    def _stop(self, verdict: Verdict) -> None:
        found = self.found
        assert found.last is not None and found.reading is not None
        if self.state in DELIVERING:
            taken_us = found.reading.t_below_us
            verdict.bound("time_ms", None if taken_us is None else taken_us / 1_000, verdict.expect.detect_ms)
        verdict.require(found.last.state_name == "DONE", f"state {found.last.state_name}, expected DONE")
        self._log_tells(verdict, False)

    def _lost(self, verdict: Verdict) -> None:
        found = self.found
        assert found.last is not None and found.reading is not None
        self._cut_in_time(verdict)
        verdict.require(found.boots == 2, f"{found.boots} boots, expected 2")
        name = _fault(found)
        verdict.require(name in verdict.expect.codes, f"latched {name}, expected {' or '.join(verdict.expect.codes)}")
        if "NONE" not in verdict.expect.codes:
            verdict.require(found.start_refusal != "", "START was accepted with the fault latched")
        if self.state not in AT_REST:
            self._interrupted(verdict)

    def _interrupted(self, verdict: Verdict) -> None:
        """The log says so, and of the charge no more than flowed, nor much less."""
        found = self.found
        assert found.meter is not None and found.reading is not None
        verdict.require(bool(found.logs), "there is no log")
        for log in found.logs[-1:]:
            verdict.require(log.outcome == "interrupted", f"the log says {log.outcome}, expected interrupted")
            charge_uc = log.end.get("charge_uc")
            if charge_uc is not None and not verdict.expect.after_dose:
                missing_uc = found.meter.charge_uc - charge_uc
                most_uc = found.reading.charge_uc + CURRENT_UA * _WORD_MS / 1_000 + DOSE_SHARE * DOSE_UC
                verdict.bound("log_error_uc", abs(missing_uc), most_uc if missing_uc > 0 else DOSE_SHARE * DOSE_UC)

    def _complete(self, verdict: Verdict) -> None:
        found = self.found
        assert found.end is not None and found.reading is not None and found.meter is not None
        verdict.require(found.end.state_name == "DONE", f"state {found.end.state_name} {_fault(found)}, expected DONE")
        self._dose_is_right(verdict)
        self._log_tells(verdict, False)

    def _dose_is_right(self, verdict: Verdict) -> None:
        reading, meter = self.found.reading, self.found.meter
        assert reading is not None and meter is not None
        delivered_uc = reading.charge_uc if self.state in AT_REST else meter.charge_uc
        verdict.bound("dose_error_uc", abs(delivered_uc - DOSE_UC), DOSE_SHARE * DOSE_UC)
        verdict.bound("overshoot_ua", max(0.0, reading.peak_ua - CURRENT_UA), _OVERSHOOT_SHARE * CURRENT_UA)

    def _end(self, verdict: Verdict) -> None:
        found = self.found
        assert found.end is not None and found.reading is not None and found.meter is not None
        verdict.require(found.end.state_name == "DONE", f"state {found.end.state_name} {_fault(found)}, expected DONE")
        overshoot_ua = max(0.0, found.reading.peak_ua - CURRENT_UA)
        verdict.bound("overshoot_ua", overshoot_ua, _OVERSHOOT_SHARE * CURRENT_UA)
        verdict.bound("charge_uc", found.meter.charge_uc, (1 + DOSE_SHARE) * DOSE_UC * len(found.logs))
        self._log_tells(verdict, False)

    def _refused(self, verdict: Verdict) -> None:
        found = self.found
        assert found.reading is not None
        codes = verdict.expect.codes
        verdict.require(
            found.refusal in codes, f"answered {found.refusal or 'accepted'}, expected {' or '.join(codes)}"
        )
        verdict.bound("peak_ua", found.reading.peak_ua, OFF_UA)

    def _latch(self, verdict: Verdict) -> None:
        assert self.found.reading is not None
        verdict.bound("peak_ua", self.found.reading.peak_ua, OFF_UA)
        self._latched(verdict)

    def _quiet(self, verdict: Verdict) -> None:
        """Nothing to add to what always holds."""

    def _stays_latched(self, verdict: Verdict) -> None:
        """The first fault is still the one that is shown, its log as it was, and nothing flows."""
        found = self.found
        assert found.last is not None and found.reading is not None
        codes = ("UNPLANNED_RESET", "OPEN_CIRCUIT") if verdict.expect.result == "lost" else ("OPEN_CIRCUIT",)
        reset = "NONE" in verdict.expect.codes
        verdict.bound("peak_ua", found.reading.peak_ua, OFF_UA)
        if not reset:
            verdict.require(_fault(found) in codes, f"latched {_fault(found)}, expected {' or '.join(codes)}")
            verdict.require(found.start_refusal != "", "START was accepted with the fault latched")
            verdict.require(not found.clear_refusal, f"CLEAR_FAULT answered {found.clear_refusal}")
        self._charge_is_told(verdict, 0.0)
        for log in found.logs[-1:]:
            verdict.require(log.outcome == "fault", f"the log says {log.outcome}, expected fault")

    # The log.

    def _log_tells(self, verdict: Verdict, blind: bool) -> None:
        """The last log has the outcome, and all of them the charge that flowed."""
        found, outcomes = self.found, verdict.expect.outcomes
        assert found.reading is not None
        verdict.require(bool(found.logs), "there is no log")
        for log in found.logs[-1:]:
            verdict.require(log.outcome in outcomes, f"the log says {log.outcome}, expected {' or '.join(outcomes)}")
        self._charge_is_told(verdict, found.reading.charge_uc if blind else 0.0)

    def _charge_is_told(self, verdict: Verdict, blind_uc: float) -> None:
        told_uc = logged_charge_uc(self.found.logs)
        assert self.found.meter is not None
        most_uc = DOSE_SHARE * DOSE_UC * len(self.found.logs) + blind_uc
        verdict.bound("log_error_uc", None if told_uc is None else abs(told_uc - self.found.meter.charge_uc), most_uc)


def logged_charge_uc(logs: list[Session]) -> int | None:
    """Return the charge that the end records tell, in uC; None when one of them does not."""
    charges = [log.end["charge_uc"] for log in logs if "charge_uc" in log.end]
    return sum(charges) if logs and len(charges) == len(logs) else None


def _fault(found: Findings) -> str:
    return found.last.fault_name if found.last is not None else ""


def outcome_of(found: Findings) -> str:
    """Return the end of the last log in words."""
    return found.logs[-1].outcome if found.logs else "none"
