"""Absolute limits of the two build variants. Nothing outside these is ever accepted; settable limits lie inside.

Variant A is a drug iontophoresis build (0-5 mA hardware, 4 mA dose ceiling), variant B a tap-water build
(0-25 mA hardware). Which one a board is, is a soldered strap read at boot. Sources: docs/hazards.md and the
circuit's numbers in hardware/README.md.
"""

from ionto.compat import const

UC_PER_MA_MIN = const(60_000)  # 1 mA*min = 60 mC

# Of every build: what a dose may ask for beside current, charge and time.
MIN_PULSE_LEVEL_MS = const(
    60
)  # between two edges: the set-point filter takes 12.6 ms, the loop and its guards the rest
MIN_EDGE_MS = const(20)  # so that the filter and both measurements of the current can follow
MAX_EDGE_MS = const(1_000)
MAX_PERIOD_MS = const(10_000)
MAX_TURNS = const(12)  # reversals of a session; each has five events in the log
MIN_STRETCH_MS = const(1_000)  # at full current between two reversals
MAX_EXTENSION_PCT = const(100)
MAX_STARTS = const(20)

# Of every build: what the current may be off by, set-point and measurement together, before the trim has learnt it:
# reference 0.5 %, divider and sense resistor 1 % each; the op-amp's offset, and the zero of the measurement. The trim
# (kernel.control) has 1/16 and 20 uA for it, the guards 60 uA more than that on an edge.
PATH_PPM = const(25_000)
PATH_UA = const(13)

# Of every build: what the hardware takes its time for.
DEAD_MAN_MS = const(120)  # without a heartbeat no current flows after it: 110 at the worst tolerance, and some more
RELAY_MS = const(400)  # the polarity relay's driver holds it for up to 310 after its pin went low; operate, bounce
RAMP_SETTLE_MS = const(20)  # after a ramp down: the set-point filter takes 12.6 ms to 0.1 %
TURN_MS = const(RAMP_SETTLE_MS + DEAD_MAN_MS + RELAY_MS)  # of a reversal, without current


class Limits:
    """Limits and electrical constants of one build variant; integers, units in the names."""

    variant: str
    min_current_ua: int
    max_current_ua: int
    trip_current_ua: int
    full_scale_ua: int
    hardware_ceiling_ua: int
    min_dose_uc: int
    max_dose_uc: int
    min_area_mm2: int
    max_area_mm2: int
    max_density_ua_cm2: int
    min_ramp_ms: int
    max_ramp_ms: int
    max_session_ms: int
    dither_ua: int
    dither_min_ua: int
    shunt_mohm: int
    series_ohm: int
    probe_ua: int
    pole_ua: int
    sense_mohm: int
    second_mohm: int
    pga_range_mv: int
    min_rail_mv: int
    max_rail_mv: int
    min_vsys_mv: int

    def __init__(self, **values: "int | str"):
        for name, value in values.items():
            setattr(self, name, value)

    def public(self) -> dict:
        """Return the limits a host shows and checks against, as a plain dict."""
        return {name: getattr(self, name) for name in PUBLIC}


PUBLIC = (
    "variant",
    "min_current_ua",
    "max_current_ua",
    "max_dose_uc",
    "min_dose_uc",
    "min_area_mm2",
    "max_area_mm2",
    "max_density_ua_cm2",
    "min_ramp_ms",
    "max_ramp_ms",
    "max_session_ms",
    "hardware_ceiling_ua",
)


def variant_a() -> Limits:
    """Return the limits of variant A: drug iontophoresis."""
    return Limits(
        variant="A",
        min_current_ua=100,
        max_current_ua=4_000,  # ActivaDose II; the clinical ceiling for drugs
        trip_current_ua=4_400,  # guard; under the full scale, so that the firmware trips before the ceiling
        full_scale_ua=4_975,  # at 100 % duty: 1.00 V / 201 ohm
        hardware_ceiling_ua=5_710,  # one limiter alone at 0 C
        min_dose_uc=6_000,  # 0.1 mA*min
        max_dose_uc=80 * UC_PER_MA_MIN,  # ceiling of the commercial units
        min_area_mm2=100,
        max_area_mm2=20_000,
        max_density_ua_cm2=500,
        min_ramp_ms=1_000,
        max_ramp_ms=120_000,
        max_session_ms=90 * 60_000,
        dither_ua=2,  # more than a PWM step, so that a live sensor always shows it
        dither_min_ua=500,  # so that the dither stays under 1 %
        shunt_mohm=10_000,
        probe_ua=40,  # of the self-test: ten steps of the ADC at V(SNS)
        pole_ua=50,  # from there on the pole is told; its line is high from 29 on
        series_ohm=552,  # two limiters of 121, shunt of 10 and two leads of 150, between rail and drain beside the load
        sense_mohm=201_000,  # Rs + shunt, seen by V(SNS)
        second_mohm=10_000,  # of the second sensor, before relay and leads
        pga_range_mv=80,  # PGA /2: 8 mA at 10 ohm
        min_rail_mv=20_000,
        max_rail_mv=27_500,
        min_vsys_mv=3_300,
    )


def variant_b() -> Limits:
    """Return the limits of variant B: tap-water hyperhidrosis."""
    return Limits(
        variant="B",
        min_current_ua=500,
        max_current_ua=18_000,  # R. A. Fischer, 10-18 mA
        trip_current_ua=20_000,
        full_scale_ua=24_950,
        hardware_ceiling_ua=30_360,
        min_dose_uc=30_000,
        max_dose_uc=360 * UC_PER_MA_MIN,  # 18 mA for 20 min
        min_area_mm2=1_000,
        max_area_mm2=200_000,
        max_density_ua_cm2=500,
        min_ramp_ms=5_000,
        max_ramp_ms=120_000,
        max_session_ms=40 * 60_000,
        dither_ua=8,
        dither_min_ua=1_000,
        shunt_mohm=10_000,
        probe_ua=200,
        pole_ua=250,  # its line is high from 132 on
        series_ohm=114,  # two limiters of 22.7, shunt of 2.5 and two leads of 33
        sense_mohm=40_080,  # 191 in parallel with 35.7, plus the shunt
        second_mohm=2_492,  # 10 in parallel with 3.32
        pga_range_mv=320,  # PGA /8: 32 mA at 10 ohm
        min_rail_mv=20_000,
        max_rail_mv=27_500,
        min_vsys_mv=3_300,
    )


def for_variant(variant: str) -> Limits:
    """Return the limits of `variant` ("A" or "B"); ValueError for any other."""
    if variant == "A":
        return variant_a()
    if variant == "B":
        return variant_b()
    raise ValueError("variant must be A or B, got %r" % (variant,))


# (left, right): left < right in every build, or the limits contradict each other.
RELATIONS = (
    ("probe_ua", "pole_ua"),  # the self-test is gentler than what tells the pole in a session
    ("pole_ua", "min_current_ua"),  # which every dose does
    ("min_current_ua", "max_current_ua"),  # a range
    ("max_current_ua", "trip_current_ua"),  # a legal dose never trips the guard
    ("trip_current_ua", "full_scale_ua"),  # the guard trips before the set-point path is at its end
    ("full_scale_ua", "hardware_ceiling_ua"),  # the limiter does not disturb regulation
    ("min_dose_uc", "max_dose_uc"),  # a range
    ("min_area_mm2", "max_area_mm2"),  # a range
    ("min_ramp_ms", "max_ramp_ms"),  # a range
    ("max_ramp_ms", "max_session_ms"),  # a session holds its ramps
    ("min_rail_mv", "max_rail_mv"),  # a range
)


def broken_relations(limits: Limits) -> list:
    """Return the relations that `limits` breaks, each as a sentence; an empty list for a sound table."""
    broken = [
        "%s must be less than %s" % (left, right)
        for left, right in RELATIONS
        if getattr(limits, left) >= getattr(limits, right)
    ]
    range_ua = limits.pga_range_mv * 1_000_000 // limits.shunt_mohm
    if range_ua <= limits.hardware_ceiling_ua:
        broken.append("the INA219 must read past hardware_ceiling_ua: full scale is %d uA" % range_ua)
    if limits.max_session_ms >> 4 < limits.max_ramp_ms:
        broken.append("a sixteenth of max_session_ms, the guards' margin, must hold the last ramp")
    if limits.max_dose_uc * 1000 > limits.max_current_ua * limits.max_session_ms:
        broken.append("max_dose_uc must fit into max_session_ms at max_current_ua")
    return broken
