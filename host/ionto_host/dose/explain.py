"""Every number that follows from a dose: how it is calculated, and which share of its limit it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ionto.limits import Limits
from ionto.plan import NO_REVERSAL, PULSED, Dose
from ionto_host.units import clock, ma, ma_min

LOADS_OHM = (1_000, 2_000, 4_700, 10_000)  # the bench set


@dataclass(frozen=True)
class Derived:
    """A number with its unit, how it follows, and its share (%) of `limit`; None where there is no limit."""

    name: str
    value: float
    unit: str
    how: str
    limit: float | None = None
    share_pct: float | None = None
    of: str = ""
    text: str = ""

    def words(self) -> str:
        """Return the number with its unit, for a person."""
        return self.text or f"{self.value:.4g} {self.unit}"

    def share(self) -> str:
        """Return the share of the limit, "" without one."""
        if self.share_pct is None or self.limit is None:
            return ""
        return f"{self.share_pct:.0f} % of {self.limit:g} {self.unit} ({self.of})"


def derive(dose: Dose, limits: Limits, loads_ohm: tuple[int, ...] = LOADS_OHM, of: str = "") -> list[Derived]:
    """Return the derived numbers of a validated `dose` on a board with `limits`, at the resistances `loads_ohm`.

    `of` says whose limits they are; those of the build variant by default.
    """
    device = of or f"build variant {limits.variant}"
    return [
        _limited("charge", ma_min(dose.dose_uc), "mA*min", _charge_how(dose), ma_min(limits.max_dose_uc), device),
        _limited("current", ma(dose.current_ua), "mA", "as given", ma(limits.max_current_ua), device),
        _density(dose, limits, device),
        _time("time", dose.duration_ms(), _time_how(dose), limits),
        _time("longest", dose.max_on_ms(limits), _longest_how(dose), limits),
        *(_voltage(dose, limits, ohm) for ohm in loads_ohm),
    ]


def as_data(items: list[Derived]) -> list[dict[str, Any]]:
    """Return `items` for `--json`."""
    keys = ("name", "value", "unit", "how", "limit", "share_pct", "of")
    return [{key: getattr(item, key) for key in keys} for item in items]


def _limited(name: str, value: float, unit: str, how: str, limit: float, of: str) -> Derived:
    return Derived(name, value, unit, how, limit, 100 * value / limit, of)


def _charge_how(dose: Dose) -> str:
    return f"{ma_min(dose.dose_uc):g} mA*min x 60 s = {dose.dose_uc / 1e6:g} C"


def _density(dose: Dose, limits: Limits, device: str) -> Derived:
    how = f"{ma(dose.current_ua):g} mA / {dose.area_mm2 / 100:g} cm2, rounded up"
    own = dose.max_density_ua_cm2 <= limits.max_density_ua_cm2
    limit = min(dose.max_density_ua_cm2, limits.max_density_ua_cm2)
    return _limited("density", ma(dose.density_ua_cm2()), "mA/cm2", how, ma(limit), "this dose" if own else device)


def _time(name: str, value_ms: int, how: str, limits: Limits) -> Derived:
    value, limit = value_ms / 60_000, limits.max_session_ms / 60_000
    return Derived(
        name,
        value,
        "min",
        how,
        limit,
        100 * value / limit,
        f"build variant {limits.variant}",
        f"{clock(value_ms / 1000)} min:s",
    )


def _time_how(dose: Dose) -> str:
    full_s = dose.dose_uc / dose.mean_ua()
    ramps = f"{(dose.ramp_up_ms + dose.ramp_down_ms) / 1000:g} s"
    text = f"{ma_min(dose.dose_uc):g} mA*min / {ma(dose.mean_ua()):g} mA = {clock(full_s)}"
    text += f", and half of {ramps} of ramps"
    if dose.reversal != NO_REVERSAL:
        text += f" for each of {dose.turns() + 1} stretches, and {dose.turns()} pauses to reverse"
    if dose.waveform == PULSED:
        text += "; mean current of the pulses"
    return text


def _longest_how(dose: Dose) -> str:
    return f"with poor contact: {dose.max_extension_pct} % longer and a margin, then the session ends with a shortfall"


def _voltage(dose: Dose, limits: Limits, load_ohm: int) -> Derived:
    """Return what `load_ohm` needs, against what the lowest rail that the device accepts leaves for it."""
    inner_ohm = limits.series_ohm + limits.sense_mohm / 1_000
    need_v = dose.current_ua * load_ohm / 1e6
    have_v = limits.min_rail_mv / 1_000 - dose.current_ua * inner_ohm / 1e6
    how = f"{ma(dose.current_ua):g} mA x {load_ohm / 1000:g} kohm"
    if need_v > have_v:
        flows_ma = limits.min_rail_mv / (load_ohm + inner_ohm)
        how += f"; too much: only {flows_ma:.2f} mA flow for certain, and the time is extended"
    of = f"left of the lowest rail, {limits.min_rail_mv / 1000:g} V"
    name = f"voltage at {load_ohm / 1000:g} kohm"
    return Derived(name, need_v, "V", how, round(have_v, 2), 100 * need_v / have_v, of)
