"""The arithmetic of a control cycle, on arrays of integers: one source for viper, the VM and CPython.

On the RP2040 an attribute costs 1.6 us, a method call 11 us and an element in viper code 0.1 us, and a cycle has 1,000.
So what runs every cycle lives here, works on `array('i')` blocks and allocates nothing; the classes that own the
blocks (Reading, Guards, Session, Controller, SessionLog) give the numbers their names and do what is rare.

Cells are never negative: viper loads them unsigned on a 64-bit machine. Viper integers have 32 bits on the
RP2040 and wrap. The greatest product is a current of 32 mA times `MAX_DT_US`: 1.92e9.
The calibration's gain is 2**15 give or take 2 %: times 32.8 mA it is 1.1e9.
"""

from ionto.compat import const, micropython, ptr8, ptr32

MAX_DT_US = const(60_000)  # counted of one cycle at most; the dead-man has cut by then
_UC_PC = const(1_000_000)
_HALF_Q11 = const(1 << 10)
_HALF_Q14 = const(1 << 13)

# Reading block.
R_FRESH = const(0)
R_FULL_SCALE = const(1)
R_RAW = const(2)
R_CURRENT_UA = const(3)
R_SENSE_UA = const(4)
R_DRAIN_MV = const(5)
R_RAIL_MV = const(6)
R_VSYS_MV = const(7)
R_LOAD_MV = const(8)
R_START = const(9)
R_STOP = const(10)
R_VBUS = const(11)
R_STRAP = const(12)
R_SENSOR_OK = const(13)
R_SOURCE_MV = const(14)
R_SECOND_UA = const(15)  # the load's current, measured a second time
R_SECOND_RAW = const(16)
R_SECOND_OK = const(17)
R_SECOND_MISSED = const(18)  # reads in a row that were not answered
R_SECOND_SERIAL = const(19)  # counts the reads
R_BESIDE_UA = const(20)  # what the controlling sensor said at the last of them
R_POLE = const(21)  # 1: a current flows out of E+
R_RELAY = const(22)  # the relay's coil is driven; this and the next two in a self-test only
R_INTERLOCK = const(23)  # the gate of the interlock's transistor is high
R_MOVED = const(24)  # the relay's pin is as the self-test wants it
R_REST = const(25)  # of the current, 1/16 uA plus REST_BIAS: what is left over for the next cycle
R_SIZE = const(26)
_MISSED = const(3)  # reads, 12 ms: the second sensor is silent

# Measuring block: what the board's counts are worth.
M_UA_PER_LSB = const(0)  # of the shunt register
M_ZERO = const(1)  # in 1/16 uA, plus M_BIAS
M_GAIN_Q15 = const(2)
M_FULL_SCALE_RAW = const(3)
M_SENSE_GAIN = const(4)  # uA of V(SNS) a count, times 4096
M_SERIES_OHM = const(5)
M_SECOND_ZERO = const(6)  # in LSB of its shunt register, plus M_BIAS
M_SECOND_GAIN = const(7)  # uA of the second sensor's LSB, times 2**14
M_LOAD_ZERO = const(8)  # in mV, plus M_BIAS: rail less drain without current
M_SIZE = const(9)
REST_BIAS = const(64)  # 4 uA: what noise below zero may take off the next samples
M_BIAS = const(0x8000)  # kept with a zero, so that its cell is never negative
# What an even slot of a cycle reads beside V(SNS); an odd one reads drain and STOP.
TAKE_RAIL = const(0)
TAKE_VBUS = const(2)
TAKE_VSYS = const(4)
TAKE_START = const(6)

# Count: four cells of any block.
C_CHARGE_UC = const(0)
C_CHARGE_PC = const(1)
C_MS = const(2)
C_US = const(3)

# Guards block: three counts (the first with its time), counters, thresholds.
G_COUNT = const(0)
G_SENSE = const(4)
G_SECOND = const(6)
G_CHARGE_LIMIT_UC = const(8)
G_SENSE_LIMIT_UC = const(9)
G_TIME_LIMIT_MS = const(10)
G_OFF_MS = const(11)
G_STALE = const(12)
G_LIFT = const(13)
G_OVER = const(14)
G_UNDER = const(15)
G_SAME = const(16)
G_LAST_RAW = const(17)
G_DISAGREE = const(18)
G_RAIL = const(19)
G_SHORT = const(20)
G_ENVELOPE = const(21)  # the set-point, let through a filter slower than the circuit's
G_TRIP_UA = const(22)
G_MIN_RAIL_MV = const(23)
G_MAX_RAIL_MV = const(24)
G_DITHER_MIN_UA = const(25)
G_STALE_SAMPLES = const(26)
G_LATE_US = const(27)
G_LIFT_SAMPLES = const(28)
G_LIFT_UA = const(29)
G_LIFT_DRAIN_MV = const(30)
G_LIFT_MIN_UA = const(31)
G_OVER_UA = const(32)
G_OVER_SHIFT = const(33)
G_OVER_SAMPLES = const(34)
G_UNDER_SAMPLES = const(35)
G_UNDER_DRAIN_MV = const(36)
G_STUCK_SAMPLES = const(37)
G_SENSE_UA = const(38)
G_SENSE_SHIFT = const(39)
G_SENSE_SAMPLES = const(40)
G_RAIL_SAMPLES = const(41)
G_SHORT_OHM = const(42)
G_SHORT_MIN_UA = const(43)
G_SHORT_SAMPLES = const(44)
G_ENVELOPE_SHIFT = const(45)
G_MOVING_SHIFT = const(46)
G_LOAD = const(47)
G_LAST_SENSE_UA = const(48)
G_SAME_SENSE = const(49)
G_LOAD_SHIFT = const(50)
G_LOAD_SAMPLES = const(51)
G_ADC_SAMPLES = const(52)
G_LATE_MAX_US = const(53)  # the longest cycle of the session with current
G_FULL_UA = const(54)  # what the session wants to flow, whatever its contact lets through
G_TWICE = const(55)  # 1: both measurements of the current have their zero, and are compared
G_APART = const(56)
G_APART_SIDE = const(57)  # 1: the load gets more than is counted, 2: less
G_SECOND_SERIAL = const(58)
G_SECOND_RAW = const(59)
G_SECOND_SAME = const(60)
G_APART_UA = const(61)
G_APART_SHIFT = const(62)
G_APART_SAMPLES = const(63)
G_SECOND_SAMPLES = const(64)
G_POLE = const(65)  # what R_POLE has to be, or POLE_UNSEEN
G_WRONG_POLE = const(66)
G_POLE_UA = const(67)
G_POLE_SAMPLES = const(68)
G_WIDE_SAMPLES = const(69)
G_OTHERS_MV = const(70)
G_SIZE = const(71)
POLE_UNSEEN = const(2)

# What `judge` found: an index into ionto.guards.VERDICTS.
V_NONE = const(0)
V_STALE = const(1)
V_LATE = const(2)
V_OVER_ABSOLUTE = const(3)
V_OVER = const(4)
V_UNDER = const(5)
V_CONFIG = const(6)
V_STUCK = const(7)
V_DISAGREE = const(8)
V_OPEN = const(9)
V_SHORT = const(10)
V_USB = const(11)
V_RAIL_LOW = const(12)
V_RAIL_HIGH = const(13)
V_CHARGE = const(14)
V_TIME = const(15)
V_LOAD = const(16)
V_ADC = const(17)
V_SECOND = const(18)
V_APART = const(19)
V_POLE = const(20)

# Session block: a count, a clock, the set-point and the plan.
S_COUNT = const(0)
S_CHARGE_UC = const(0)
S_CHARGE_PC = const(1)
S_ON_MS = const(2)
S_ON_US = const(3)
S_T_MS = const(4)
S_T_US = const(5)
S_SETPOINT_UA = const(6)
S_RAMP_ACC = const(7)
S_SETTLE = const(8)
S_LIMITED = const(9)
S_LIMITED_MS = const(10)
S_LOW_MS = const(11)
S_MAX_UA = const(12)
S_TARGET_UA = const(13)
S_DOSE_UC = const(14)
S_RAMP_UP_US = const(15)
S_RAMP_DOWN_US = const(16)
S_RAMP_DOWN_UC = const(17)
S_MAX_ON_MS = const(18)
S_MIN_VSYS_MV = const(19)
S_DITHER_UA = const(20)
S_DITHER_MIN_UA = const(21)
S_NEXT_UC = const(22)  # the charge, and the time with current, at which something ends: the dose, or a stretch
S_NEXT_ON_MS = const(23)
S_MEAN_UA = const(24)
S_PULSE_US = const(25)  # where in the period
S_PERIOD_US = const(26)  # 0: direct current
S_FALL_US = const(27)  # where the pulse begins to fall
S_EDGE_US = const(28)
S_STEADY = const(29)  # the current follows the set-point: what it is off by is the circuit's, and may be learnt
S_GOAL_UA = const(30)  # where the target is going: below it while it is lowered, above after a poor contact
S_LEAST_RAIL_MV = const(31)  # from the first full current on
S_LEAST_VSYS_MV = const(32)
S_FULL_UA = const(33)  # of the dose: every ramp is as steep as one from 0 to here
S_FELT = const(34)  # the last comfort report, and how many there were, times 4
S_FLOOR_UA = const(35)  # the goal is never lowered below it
S_END_UC = const(36)  # the charge that a ramp down is to end at, 0 for any: it waits while it would end below
S_SIZE = const(37)

_RAMP_STEP_US = const(2_500)  # a longer cycle, output just on, must not make the ramp jump
_SETTLE_CYCLES = const(20)  # set-point filter: 12.6 ms to 0.1 %
_LIMITED_MV = const(600)  # from drain to source: the sink is fully on, and the contact decides what flows
_LIMITED_UA = const(20)  # and short of the set-point by so much, and 1/64
_LIMITED_SHIFT = const(6)
_LIMITED_CYCLES = const(100)
_LAG_MS = const(4)  # of what flows behind the set-point: the filter 2.3, the sample 1, the cycle, rounded up
_WAIT_UA = const(60)  # a ramp down does not wait below it: there a lift cannot be told
_GIVE_UP_SHIFT = const(2)  # it goes back to HOLD when 1/4 of what it still brings is missing, and 1/512 of the end
_GIVE_UP_END_SHIFT = const(9)
_BATTERY_CYCLES = const(50)
_PULSE_SETTLE_US = const(16_000)  # after an edge: the filter, and the age of both measurements
_EDGE_SHIFT = const(4)  # edges are computed in 16 us: 18 mA for 1 s fits 31 bits
_DITHER_MS = const(0x40)  # bit of the session's clock that moves the set-point, so that a stuck sensor shows

# What `advance` does to the set-point, and what it reports.
REST = const(0)
UP = const(1)
HOLDING = const(2)
DOWN = const(3)
E_NONE = const(0)
E_STOP = const(1)
E_TOP = const(2)
E_BOTTOM = const(3)
E_LIMITED = const(4)
E_DOSE = const(5)
E_TIME = const(6)
E_BATTERY = const(7)
E_TURN = const(8)
E_AGAIN = const(9)

# Controller block.
K_INTEGRAL = const(0)
K_FULL_SCALE_UA = const(1)
K_TOP = const(2)
K_DUTY = const(3)
K_SIZE = const(4)
K_BIAS = const(0x100000)  # kept with the integral, so that its cell is never negative
K_SHIFT = const(6)  # the integral is kept in uA * 64: one sample's error moves the output by 1/64
_PROPORTIONAL_SHIFT = const(3)
_NOISE_UA = const(4)  # the proportional part keeps still within the sensor's noise, so the duty does too
_TRIM_FIXED_UA = const(20)  # more than limits.PATH_UA
_TRIM_SHIFT = const(4)  # and 1/16 of the set-point: more than limits.PATH_PPM
_FOLLOW_UA = const(60)  # a larger error is the contact or the ramp, not the trim: do not integrate it
_FOLLOW_SHIFT = const(4)
_LEARN_UA = const(16)  # of one sample at most, and 1/64: the drain is read up to 2 ms after the contact changed
_LEARN_SHIFT = const(6)

# What `cycle` found: a verdict in bits 0-7, or an event in bits 8-15, or a log window that is full.
FOUND_VERDICT = const(0xFF)
FOUND_EVENT_SHIFT = const(8)
FOUND_WINDOW = const(0x10000)

# Status block: the fields of protocol.STATUS_FIELDS, in their order.
T_STATE = const(0)
T_OUTCOME = const(1)
T_FAULT = const(2)
T_FLAGS = const(3)
T_SETPOINT_UA = const(4)
T_CURRENT_UA = const(5)
T_SENSE_UA = const(6)
T_LOAD_MV = const(7)
T_RAIL_MV = const(8)
T_VSYS_MV = const(9)
T_DUTY = const(10)
T_LOAD_OHM = const(11)
T_CHARGE_UC = const(12)
T_DOSE_UC = const(13)
T_ELAPSED_MS = const(14)
T_REMAINING_MS = const(15)
T_SESSION_ID = const(16)
T_LATE_MAX_US = const(17)
T_STARTS_LEFT = const(18)
T_SECOND_FAULT = const(19)
T_LOG_LEFT = const(20)
T_TARGET_UA = const(21)
T_COMFORT = const(22)
T_COMFORT_COUNT = const(23)
T_LEAST_UA = const(24)
T_SECOND_UA = const(25)
T_SECOND_CHARGE_UC = const(26)
T_SIZE = const(27)
_MAX_LOAD_OHM = const(1_000_000)
_LOAD_FROM_UA = const(20)

# Window block of the log.
W_SUM_UA = const(0)
W_SUM_MV = const(1)
W_COUNT = const(2)
W_MIN_UA = const(3)
W_MAX_UA = const(4)
W_DUE_MS = const(5)
W_PERIOD_MS = const(6)
W_MAX_MV = const(7)
W_SUM_SECOND_UA = const(8)
W_SIZE = const(9)
_NO_MIN_UA = const(0x7FFF)
_LOAD_MAX_FROM_UA = const(50)  # with less the drain hangs on its divider, and the voltage is the rail's

# Sample block: the fields of sessionlog_format.SAMPLE_FIELDS, in their order.
L_T_MS = const(0)
L_CHARGE_UC = const(1)
L_SETPOINT_UA = const(2)
L_MEAN_UA = const(3)
L_MIN_UA = const(4)
L_MAX_UA = const(5)
L_SECOND_MEAN_UA = const(6)
L_LOAD_MV = const(7)
L_LOAD_MAX_MV = const(8)
L_CYCLES = const(9)
L_STATE = const(10)
L_FLAGS = const(11)
L_SIZE = const(12)
# Where they lie in a packed sample: what `fold` keeps of the later one, and the words that it merges.
_B_MEAN = const(10)
_B_MIN = const(12)
_B_SECOND = const(16)
_B_LOAD = const(18)
_B_CYCLES = const(22)
_B_STATE = const(24)
_B_FLAGS = const(25)
_B_SIZE = const(26)

# Analogue inputs.
_VREF_MV = const(3_300)
_DIVIDER = const(11)  # 10M / 1M
_WIDE_EVERY_MV = const(825)  # codes 511, 1535, 2559 and 3583 are some 9 LSB wide (erratum RP2040-E11)
_WIDE_FROM_MV = const(407)
_WIDE_TO_MV = const(416)
_SENSE_MAX_UA = const(32_000)  # the status record carries 16 bits


@micropython.viper
def take(r: ptr32, m: ptr32, b: ptr8, fresh: int, slot: int, first: int, second: int):
    """Put what one cycle has read into the reading block; `m` is what the board measures with.

    `fresh`: b[0] and b[1] are a new shunt register (10 uV a step). `first` is the ADC's count of the drain in an odd
    `slot`, of V(SNS) in an even one; `second` is what else was read, by the slot (TAKE_...).
    """
    r[R_FRESH] = fresh
    if fresh != 0:
        raw = b[0] << 8 | b[1]
        r[R_RAW] = raw
        if raw >= 0x8000:
            raw -= 0x10000
        gain_q15 = m[M_GAIN_Q15]
        current = raw * m[M_UA_PER_LSB] * gain_q15 - ((m[M_ZERO] - M_BIAS) * gain_q15 >> 4)
        current = (current + _HALF_Q11 >> 11) + r[R_REST] - REST_BIAS  # in 1/16 uA
        if current >= 0:
            r[R_CURRENT_UA] = current >> 4
            current &= 15
        else:
            r[R_CURRENT_UA] = 0
            if current < 0 - REST_BIAS:
                current = 0 - REST_BIAS
        r[R_REST] = current + REST_BIAS
        end = m[M_FULL_SCALE_RAW]
        r[R_FULL_SCALE] = 1 if raw >= end or raw <= 0 - end else 0
    if slot & 1 != 0:
        source_mv = r[R_SOURCE_MV]
        drain_mv = source_mv + _DIVIDER * ((first * _VREF_MV >> 16) - source_mv)
        if drain_mv < 0:
            drain_mv = 0
        r[R_DRAIN_MV] = drain_mv
        load_mv = r[R_RAIL_MV] - drain_mv - (m[M_LOAD_ZERO] - M_BIAS) - (r[R_CURRENT_UA] * m[M_SERIES_OHM]) // 1_000
        r[R_LOAD_MV] = load_mv if load_mv > 0 else 0
        r[R_STOP] = second
        return
    sense_ua = first * m[M_SENSE_GAIN] >> 12
    r[R_SENSE_UA] = sense_ua if sense_ua < _SENSE_MAX_UA else _SENSE_MAX_UA
    r[R_SOURCE_MV] = first * _VREF_MV >> 16
    if slot == TAKE_RAIL:
        r[R_RAIL_MV] = (second >> 2) * (_VREF_MV * _DIVIDER) >> 14
    elif slot == TAKE_VBUS:
        r[R_VBUS] = second
    elif slot == TAKE_VSYS:
        r[R_VSYS_MV] = second * (_VREF_MV * 3) >> 16
    else:
        r[R_START] = 1 - second


@micropython.viper
def take_second(r: ptr32, m: ptr32, b: ptr8, fresh: int):
    """Put what was read of the second sensor into the reading block: a shunt register b[0], b[1] when `fresh`.

    Beside it goes what the first sensor said in the same cycle: both conversions are about as old.
    """
    if fresh == 0:
        missed = r[R_SECOND_MISSED] + 1
        r[R_SECOND_MISSED] = missed
        if missed >= _MISSED:
            r[R_SECOND_OK] = 0
        return
    raw = b[0] << 8 | b[1]
    r[R_SECOND_MISSED] = 0
    r[R_SECOND_RAW] = raw
    r[R_SECOND_SERIAL] = (r[R_SECOND_SERIAL] + 1) & 0xFFFF
    r[R_BESIDE_UA] = r[R_CURRENT_UA]
    if raw >= 0x8000:
        raw -= 0x10000
    second_ua = ((raw - (m[M_SECOND_ZERO] - M_BIAS)) * m[M_SECOND_GAIN] + _HALF_Q14) >> 14
    r[R_SECOND_UA] = second_ua if second_ua > 0 else 0


@micropython.viper
def count(c: ptr32, at: int, current_ua: int, dt_us: int):
    """Add `current_ua` for `dt_us` to the count that starts at cell `at`: charge in uC and pC, time in ms and us."""
    if dt_us > MAX_DT_US:
        dt_us = MAX_DT_US
    charge_uc = c[at + C_CHARGE_UC]
    charge_pc = c[at + C_CHARGE_PC] + current_ua * dt_us
    while charge_pc >= _UC_PC:
        charge_pc -= _UC_PC
        charge_uc += 1
    c[at + C_CHARGE_UC] = charge_uc
    c[at + C_CHARGE_PC] = charge_pc
    us = c[at + C_US] + dt_us
    ms = c[at + C_MS]
    while us >= 1_000:
        us -= 1_000
        ms += 1
    c[at + C_MS] = ms
    c[at + C_US] = us


@micropython.viper
def judge(g: ptr32, r: ptr32, setpoint_ua: int, dt_us: int) -> int:
    """Count this cycle and return the first reason to cut the output, V_NONE for none. Output on only.

    Written flat, counts included: a call from viper to viper costs 8 us on the RP2040.
    """
    current_ua = r[R_CURRENT_UA]
    first = g[G_OFF_MS]  # no edge has been given yet: what came before may have been slow
    g[G_OFF_MS] = 0
    counted_us = dt_us if dt_us < MAX_DT_US else MAX_DT_US
    charge_pc = g[G_COUNT + C_CHARGE_PC] + current_ua * counted_us
    while charge_pc >= _UC_PC:
        charge_pc -= _UC_PC
        g[G_COUNT + C_CHARGE_UC] += 1
    g[G_COUNT + C_CHARGE_PC] = charge_pc
    charge_pc = g[G_SENSE + C_CHARGE_PC] + r[R_SENSE_UA] * counted_us
    while charge_pc >= _UC_PC:
        charge_pc -= _UC_PC
        g[G_SENSE + C_CHARGE_UC] += 1
    g[G_SENSE + C_CHARGE_PC] = charge_pc
    charge_pc = g[G_SECOND + C_CHARGE_PC] + r[R_SECOND_UA] * counted_us
    while charge_pc >= _UC_PC:
        charge_pc -= _UC_PC
        g[G_SECOND + C_CHARGE_UC] += 1
    g[G_SECOND + C_CHARGE_PC] = charge_pc
    us = g[G_COUNT + C_US] + counted_us
    while us >= 1_000:
        us -= 1_000
        g[G_COUNT + C_MS] += 1
    g[G_COUNT + C_US] = us
    if dt_us > g[G_LATE_US] and first == 0:
        return V_LATE
    # Sensor silent, and the ceilings of charge and time, which hold whatever the sensor does.
    if r[R_FRESH] == 0:
        g[G_STALE] += 1
        if g[G_STALE] >= g[G_STALE_SAMPLES]:
            return V_STALE
    if g[G_COUNT + C_CHARGE_UC] > g[G_CHARGE_LIMIT_UC] or g[G_SENSE + C_CHARGE_UC] > g[G_SENSE_LIMIT_UC]:
        return V_CHARGE
    if g[G_COUNT + C_MS] > g[G_TIME_LIMIT_MS]:
        return V_TIME
    if r[R_FRESH] == 0:
        return V_NONE
    g[G_STALE] = 0
    # The current against ceiling and set-point.
    if r[R_FULL_SCALE] != 0 or current_ua > g[G_TRIP_UA]:
        return V_OVER_ABSOLUTE
    drain_mv = r[R_DRAIN_MV]
    margin_ua = (setpoint_ua >> g[G_OVER_SHIFT]) + g[G_OVER_UA]
    envelope_ua = g[G_ENVELOPE]
    moving_ua = setpoint_ua - envelope_ua
    envelope_ua += moving_ua >> g[G_ENVELOPE_SHIFT]
    g[G_ENVELOPE] = envelope_ua
    most_ua = setpoint_ua
    if moving_ua < 0:
        moving_ua = 0 - moving_ua
        most_ua = envelope_ua
    if current_ua > most_ua + margin_ua:
        g[G_OVER] += 1
        if g[G_OVER] >= g[G_OVER_SAMPLES]:
            return V_OVER
    else:
        g[G_OVER] = 0
    if current_ua + margin_ua < setpoint_ua and drain_mv > g[G_UNDER_DRAIN_MV]:
        g[G_UNDER] += 1
        if g[G_UNDER] >= g[G_UNDER_SAMPLES]:
            return V_UNDER
    elif setpoint_ua > g[G_LIFT_MIN_UA]:  # the pause between two pulses tells nothing
        g[G_UNDER] = 0
    # The sensor: configured, alive, and in agreement with V(SNS).
    if r[R_SENSOR_OK] == 0:
        return V_CONFIG
    raw = r[R_RAW]
    if raw != g[G_LAST_RAW] or setpoint_ua < g[G_DITHER_MIN_UA]:
        g[G_LAST_RAW] = raw
        g[G_SAME] = 0
    elif drain_mv - r[R_SOURCE_MV] > g[G_LIFT_DRAIN_MV]:  # contact-limited current does not follow the dither
        g[G_SAME] += 1
        if g[G_SAME] >= g[G_STUCK_SAMPLES]:
            return V_STUCK
    sense_ua = r[R_SENSE_UA]
    if sense_ua != g[G_LAST_SENSE_UA] or setpoint_ua <= g[G_LIFT_MIN_UA]:
        g[G_LAST_SENSE_UA] = sense_ua
        g[G_SAME_SENSE] = 0
    else:
        g[G_SAME_SENSE] += 1
        if g[G_SAME_SENSE] >= g[G_ADC_SAMPLES]:
            at_mv = r[R_SOURCE_MV]
            while at_mv >= _WIDE_EVERY_MV:
                at_mv -= _WIDE_EVERY_MV
            if at_mv < _WIDE_FROM_MV or at_mv > _WIDE_TO_MV or g[G_SAME_SENSE] >= g[G_ADC_SAMPLES] + g[G_WIDE_SAMPLES]:
                return V_ADC
            others_mv = drain_mv + r[R_RAIL_MV]  # noise does not leave a wide code: another channel shows a live ADC
            if others_mv != g[G_OTHERS_MV]:
                g[G_OTHERS_MV] = others_mv
                g[G_SAME_SENSE] = g[G_ADC_SAMPLES] - 1
    difference_ua = sense_ua - current_ua
    if difference_ua < 0:
        difference_ua = 0 - difference_ua
    if difference_ua < g[G_SENSE_UA] + (setpoint_ua >> g[G_SENSE_SHIFT]) + (moving_ua >> g[G_MOVING_SHIFT]):
        g[G_DISAGREE] = 0
    else:
        g[G_DISAGREE] += 1
        if g[G_DISAGREE] >= g[G_SENSE_SAMPLES]:
            return V_DISAGREE
    # The load's current, measured a second time: there, alive, and what is counted.
    if r[R_SECOND_OK] == 0:
        return V_SECOND
    if r[R_SECOND_SERIAL] != g[G_SECOND_SERIAL]:
        g[G_SECOND_SERIAL] = r[R_SECOND_SERIAL]
        raw = r[R_SECOND_RAW]
        if raw != g[G_SECOND_RAW] or setpoint_ua < g[G_DITHER_MIN_UA]:
            g[G_SECOND_RAW] = raw
            g[G_SECOND_SAME] = 0
        elif drain_mv - r[R_SOURCE_MV] > g[G_LIFT_DRAIN_MV]:
            g[G_SECOND_SAME] += 1
            if g[G_SECOND_SAME] >= g[G_SECOND_SAMPLES]:
                return V_SECOND
        beside_ua = r[R_BESIDE_UA]
        side = 1
        difference_ua = r[R_SECOND_UA] - beside_ua
        if difference_ua < 0:
            side = 2
            difference_ua = 0 - difference_ua
        most_apart_ua = beside_ua >> g[G_APART_SHIFT]
        if most_apart_ua < g[G_APART_UA]:
            most_apart_ua = g[G_APART_UA]
        if g[G_TWICE] == 0 or difference_ua <= most_apart_ua + (moving_ua >> g[G_MOVING_SHIFT]):
            side = 0
        if side != g[G_APART_SIDE]:
            g[G_APART_SIDE] = side
            g[G_APART] = 0
        if side != 0:
            g[G_APART] += 1
            if g[G_APART] >= g[G_APART_SAMPLES]:
                return V_APART
    # The load: lifted or shorted.
    if setpoint_ua > g[G_LIFT_MIN_UA] and current_ua < g[G_LIFT_UA]:
        g[G_LIFT] += 1
        if g[G_LIFT] >= g[G_LIFT_SAMPLES] and drain_mv < g[G_LIFT_DRAIN_MV] and r[R_STOP] == 0:
            return V_OPEN  # not when STOP opened the circuit: that is no fault, and `advance` ends the session
    else:
        g[G_LIFT] = 0
    if drain_mv < g[G_LIFT_DRAIN_MV] and current_ua < g[G_FULL_UA] >> g[G_LOAD_SHIFT]:
        g[G_LOAD] += 1
        if g[G_LOAD] >= g[G_LOAD_SAMPLES]:
            return V_LOAD
    else:
        g[G_LOAD] = 0
    if current_ua > g[G_SHORT_MIN_UA] and r[R_LOAD_MV] * 1_000 < g[G_SHORT_OHM] * current_ua:
        g[G_SHORT] += 1
        if g[G_SHORT] >= g[G_SHORT_SAMPLES]:
            return V_SHORT
    else:
        g[G_SHORT] = 0
    # The pole: a reading that is older than an edge counts for one, and the next right one forgets it.
    if current_ua > g[G_POLE_UA] and g[G_POLE] != POLE_UNSEEN:
        if r[R_POLE] == g[G_POLE]:
            g[G_WRONG_POLE] = 0
        else:
            g[G_WRONG_POLE] += 1
            if g[G_WRONG_POLE] >= g[G_POLE_SAMPLES]:
                return V_POLE
    # USB and the rail.
    if r[R_VBUS] != 0 and r[R_STRAP] == 0:
        return V_USB
    rail_mv = r[R_RAIL_MV]
    if rail_mv >= g[G_MIN_RAIL_MV] and rail_mv <= g[G_MAX_RAIL_MV]:
        g[G_RAIL] = 0
        return V_NONE
    g[G_RAIL] += 1
    if g[G_RAIL] < g[G_RAIL_SAMPLES]:
        return V_NONE
    return V_RAIL_LOW if rail_mv < g[G_MIN_RAIL_MV] else V_RAIL_HIGH


@micropython.viper
def ramp_down_uc(s: ptr32, from_ua: int) -> int:
    """Return the charge (uC) that is still to come when the set-point is ramped down from `from_ua`.

    In steps of 2 ms, rounded up: a ramp down that begins early can wait, one that begins late gives too much.
    """
    steps = (s[S_RAMP_DOWN_US] // 2_000 + 1) * from_ua // s[S_FULL_UA]
    return from_ua * (steps + _LAG_MS) // 1_000


@micropython.viper
def contact_changed(s: ptr32, low: int, limited: int) -> int:
    """Return 1 when the contact begins (`limited`) or ceases (not `low`) to decide the current."""
    if (limited if s[S_LIMITED] == 0 else 1 - low) == 0:
        s[S_LIMITED_MS] = 0
        return 0
    s[S_LIMITED_MS] += 1
    if s[S_LIMITED_MS] < _LIMITED_CYCLES:
        return 0
    s[S_LIMITED] = limited
    s[S_LIMITED_MS] = 0
    return 1


@micropython.viper
def follow(s: ptr32, r: ptr32, steady: int, step_ua: int) -> int:
    """Let the target go by `step_ua` towards its goal, up only as the contact lets it; return 1 on a change of contact.

    While the contact decides the current, the target stays just above what flows, so that it comes back by a ramp.
    """
    target_ua = s[S_TARGET_UA]
    current_ua = r[R_CURRENT_UA]
    goal_ua = s[S_GOAL_UA]
    changed = 0
    free = 1 if s[S_LIMITED] == 0 and s[S_LIMITED_MS] == 0 else 0
    if steady != 0:
        setpoint_ua = s[S_SETPOINT_UA]
        low = 1 if r[R_DRAIN_MV] - r[R_SOURCE_MV] < _LIMITED_MV else 0
        limited = 0
        if low != 0 and setpoint_ua - current_ua > _LIMITED_UA + (setpoint_ua >> _LIMITED_SHIFT):
            limited = 1
        free = 1 - limited
        changed = int(contact_changed(s, low, limited))
        if limited != 0 and s[S_LIMITED] != 0:
            most_ua = current_ua + ((_LIMITED_UA + (current_ua >> _LIMITED_SHIFT)) << 1)
            if most_ua < target_ua:
                target_ua = most_ua
    if target_ua > goal_ua:
        target_ua -= step_ua
        if target_ua < goal_ua:
            target_ua = goal_ua
    elif free != 0:
        target_ua += step_ua
        if target_ua > goal_ua:
            target_ua = goal_ua
    if target_ua != s[S_TARGET_UA]:
        to_come_uc = int(ramp_down_uc(s, target_ua))
        if target_ua < s[S_TARGET_UA] or s[S_CHARGE_UC] + to_come_uc < s[S_NEXT_UC]:
            s[S_TARGET_UA] = target_ua
            s[S_RAMP_DOWN_UC] = to_come_uc
            if s[S_PERIOD_US] == 0:
                s[S_SETPOINT_UA] = target_ua
    return changed


@micropython.viper
def descend(s: ptr32, step_ua: int) -> int:
    """Let a ramp down go on by `step_ua`; return E_BOTTOM at its end, E_AGAIN when too little would have come by then.

    Where its end has a charge, it waits while less would come: a contact has taken what the ramp should have brought.
    """
    setpoint_ua = s[S_SETPOINT_UA]
    end_uc = s[S_END_UC]
    if setpoint_ua > _WAIT_UA and s[S_CHARGE_UC] < end_uc and s[S_ON_MS] < s[S_MAX_ON_MS]:
        to_come_uc = int(ramp_down_uc(s, setpoint_ua))
        missing_uc = end_uc - s[S_CHARGE_UC] - to_come_uc
        if missing_uc > (to_come_uc >> _GIVE_UP_SHIFT) + (end_uc >> _GIVE_UP_END_SHIFT):
            return E_AGAIN
        if missing_uc > 0:
            return E_NONE
    setpoint_ua -= step_ua
    if setpoint_ua > 0:
        s[S_SETPOINT_UA] = setpoint_ua
        return E_NONE
    s[S_SETPOINT_UA] = 0
    s[S_SETTLE] += 1
    return E_BOTTOM if s[S_SETTLE] >= _SETTLE_CYCLES else E_NONE


@micropython.viper
def pulse(s: ptr32, dt_us: int) -> int:
    """Move the set-point along its pulse by `dt_us`; return 1 when it has stood at its top for long enough."""
    at_us = s[S_PULSE_US] + dt_us
    while at_us >= s[S_PERIOD_US]:
        at_us -= s[S_PERIOD_US]
    s[S_PULSE_US] = at_us
    edge_us = s[S_EDGE_US]
    since_us = at_us - s[S_FALL_US]
    steady = 0
    if since_us >= edge_us:
        s[S_SETPOINT_UA] = 0
    elif since_us >= 0:
        s[S_SETPOINT_UA] = s[S_TARGET_UA] * ((edge_us - since_us) >> _EDGE_SHIFT) // (edge_us >> _EDGE_SHIFT)
    elif at_us < edge_us:
        s[S_SETPOINT_UA] = s[S_TARGET_UA] * (at_us >> _EDGE_SHIFT) // (edge_us >> _EDGE_SHIFT)
    else:
        s[S_SETPOINT_UA] = s[S_TARGET_UA]
        if at_us >= edge_us + _PULSE_SETTLE_US:
            steady = 1
    return steady


@micropython.viper
def ending(s: ptr32, r: ptr32) -> int:
    """Return why the ramp down must begin now, E_NONE for not yet."""
    reached_uc = s[S_CHARGE_UC] + int(ramp_down_uc(s, s[S_SETPOINT_UA]))
    if reached_uc >= s[S_DOSE_UC]:
        return E_DOSE
    if s[S_ON_MS] >= s[S_MAX_ON_MS]:
        return E_TIME
    if reached_uc >= s[S_NEXT_UC] or s[S_ON_MS] >= s[S_NEXT_ON_MS]:
        return E_TURN
    if r[R_VSYS_MV] >= s[S_MIN_VSYS_MV]:
        s[S_LOW_MS] = 0
        return E_NONE
    s[S_LOW_MS] += 1
    return E_BATTERY if s[S_LOW_MS] >= _BATTERY_CYCLES else E_NONE


@micropython.viper
def advance(s: ptr32, r: ptr32, dt_us: int, mode: int) -> int:
    """Let the session's clock, charge and set-point go on by `dt_us`; return what happened (E_...)."""
    if r[R_STOP] != 0:
        return E_STOP
    us = s[S_T_US] + dt_us
    while us >= 1_000:
        us -= 1_000
        s[S_T_MS] += 1
    s[S_T_US] = us
    if mode == REST:
        return E_NONE
    current_ua = r[R_CURRENT_UA]
    counted_us = dt_us if dt_us < MAX_DT_US else MAX_DT_US
    charge_pc = s[S_CHARGE_PC] + current_ua * counted_us
    while charge_pc >= _UC_PC:
        charge_pc -= _UC_PC
        s[S_CHARGE_UC] += 1
    s[S_CHARGE_PC] = charge_pc
    us = s[S_ON_US] + counted_us
    while us >= 1_000:
        us -= 1_000
        s[S_ON_MS] += 1
    s[S_ON_US] = us
    if current_ua > s[S_MAX_UA]:
        s[S_MAX_UA] = current_ua
    if mode != UP:  # the boost converter has started
        if r[R_RAIL_MV] < s[S_LEAST_RAIL_MV]:
            s[S_LEAST_RAIL_MV] = r[R_RAIL_MV]
        if r[R_VSYS_MV] < s[S_LEAST_VSYS_MV]:
            s[S_LEAST_VSYS_MV] = r[R_VSYS_MV]
    low = 1 if r[R_DRAIN_MV] - r[R_SOURCE_MV] < _LIMITED_MV else 0
    s[S_STEADY] = 1 - low
    before_ua = s[S_SETPOINT_UA]
    step_ua = 0
    if mode != HOLDING or s[S_GOAL_UA] != s[S_TARGET_UA]:  # full current in ramp_us; under 1 uA is carried on
        ramp_us = s[S_RAMP_UP_US]
        if mode == DOWN or (mode == HOLDING and s[S_GOAL_UA] < s[S_TARGET_UA]):
            ramp_us = s[S_RAMP_DOWN_US]
        acc = s[S_RAMP_ACC] + s[S_FULL_UA] * (dt_us if dt_us < _RAMP_STEP_US else _RAMP_STEP_US)
        while acc >= ramp_us:
            acc -= ramp_us
            step_ua += 1
        s[S_RAMP_ACC] = acc
    if mode == DOWN:
        return int(descend(s, step_ua))
    if mode == UP:
        setpoint_ua = s[S_SETPOINT_UA]
        if low != 0 and setpoint_ua - current_ua > _LIMITED_UA + (setpoint_ua >> _LIMITED_SHIFT):
            s[S_LIMITED_MS] += 1
            if s[S_LIMITED_MS] >= _LIMITED_CYCLES:  # HOLD goes on from here as the contact lets it
                s[S_TARGET_UA] = setpoint_ua
        else:
            s[S_LIMITED_MS] = 0
        setpoint_ua += step_ua
        if setpoint_ua >= s[S_TARGET_UA]:
            s[S_SETPOINT_UA] = s[S_TARGET_UA]
            s[S_PULSE_US] = s[S_EDGE_US]
            return E_TOP
        s[S_SETPOINT_UA] = setpoint_ua
    else:
        steady = 1
        if s[S_PERIOD_US] != 0:
            steady = int(pulse(s, dt_us))
            if steady == 0:
                s[S_STEADY] = low = 0
        if (low != 0 or s[S_LIMITED] != 0 or s[S_LIMITED_MS] != 0 or s[S_GOAL_UA] != s[S_TARGET_UA]) and int(
            follow(s, r, steady, step_ua)
        ) != 0:
            return E_LIMITED
    if (  # nothing ends: S_RAMP_DOWN_UC, from the target, is never less than from the set-point
        s[S_CHARGE_UC] + s[S_RAMP_DOWN_UC] < s[S_NEXT_UC]
        and s[S_ON_MS] < s[S_NEXT_ON_MS]
        and r[R_VSYS_MV] >= s[S_MIN_VSYS_MV]
    ):
        s[S_LOW_MS] = 0
        return E_NONE
    event = int(ending(s, r))
    if event != E_NONE and s[S_SETPOINT_UA] > before_ua:  # what this cycle's rise would add is too much
        s[S_SETPOINT_UA] = before_ua
    return event


@micropython.viper
def count_charge(c: ptr32, at: int, current_ua: int, dt_us: int):
    """Add the charge of `current_ua` for `dt_us` to the count that starts at cell `at`."""
    charge_pc = c[at + C_CHARGE_PC] + current_ua * (dt_us if dt_us < MAX_DT_US else MAX_DT_US)
    while charge_pc >= _UC_PC:
        charge_pc -= _UC_PC
        c[at + C_CHARGE_UC] += 1
    c[at + C_CHARGE_PC] = charge_pc


@micropython.viper
def count_tail(s: ptr32, r: ptr32, dt_us: int):
    """Let the session's clock and charge go on by `dt_us` when the output was cut."""
    us = s[S_T_US] + dt_us
    while us >= 1_000:
        us -= 1_000
        s[S_T_MS] += 1
    s[S_T_US] = us
    if r[R_FRESH] != 0:  # the smaller of both measurements: a sensor that is stuck or reset would go on counting
        current_ua = r[R_CURRENT_UA]
        count_charge(s, S_COUNT, current_ua if current_ua < r[R_SENSE_UA] else r[R_SENSE_UA], dt_us)


@micropython.viper
def drive_ua(s: ptr32) -> int:
    """Return the set-point for the controller: with the dither that makes a stuck sensor visible."""
    setpoint_ua = s[S_SETPOINT_UA]
    if setpoint_ua >= s[S_DITHER_MIN_UA] and s[S_T_MS] & _DITHER_MS != 0:
        return setpoint_ua + s[S_DITHER_UA]
    return setpoint_ua


@micropython.viper
def control(k: ptr32, setpoint_ua: int, measured_ua: int, steady: int) -> int:
    """Return the duty for this cycle: feed-forward from the set-point and a bounded integral.

    While the set-point is not `steady` (1), the integral stands still: the error is the filter's lag or the contact's.
    What it learnt is used within the bound of the present set-point.
    """
    if setpoint_ua <= 0:
        return 0
    error = setpoint_ua - measured_ua
    integral = k[K_INTEGRAL] - K_BIAS
    drive = setpoint_ua
    window = _FOLLOW_UA + (setpoint_ua >> _FOLLOW_SHIFT)
    bound = (_TRIM_FIXED_UA + (setpoint_ua >> _TRIM_SHIFT)) << K_SHIFT
    if steady != 0 and error < window and error > 0 - window:
        learn = _LEARN_UA + (setpoint_ua >> _LEARN_SHIFT)
        if error > learn:
            error = learn
        elif error < 0 - learn:
            error = 0 - learn
        integral += error
        if integral > bound:
            integral = bound
        elif integral < 0 - bound:
            integral = 0 - bound
        k[K_INTEGRAL] = integral + K_BIAS
        if error > _NOISE_UA or error < 0 - _NOISE_UA:
            drive += error >> _PROPORTIONAL_SHIFT
    elif integral > bound:  # learnt at a greater set-point than this part of an edge
        integral = bound
    elif integral < 0 - bound:
        integral = 0 - bound
    drive += integral >> K_SHIFT
    full_scale_ua = k[K_FULL_SCALE_UA]
    if drive <= 0:
        return 0
    if drive >= full_scale_ua:
        return k[K_TOP]
    return (drive * k[K_TOP] + (full_scale_ua >> 1)) // full_scale_ua


@micropython.viper
def window(w: ptr32, r: ptr32, t_ms: int) -> int:
    """Fold this cycle into the log's open window; return 1 when its period has passed."""
    current_ua = r[R_CURRENT_UA]
    load_mv = r[R_LOAD_MV]
    w[W_SUM_UA] += current_ua
    w[W_SUM_SECOND_UA] += r[R_SECOND_UA]
    w[W_SUM_MV] += load_mv
    w[W_COUNT] += 1
    if load_mv > w[W_MAX_MV] and current_ua > _LOAD_MAX_FROM_UA:
        w[W_MAX_MV] = load_mv
    if current_ua < w[W_MIN_UA]:
        w[W_MIN_UA] = current_ua
    if current_ua > w[W_MAX_UA]:
        w[W_MAX_UA] = current_ua
    return 1 if t_ms >= w[W_DUE_MS] else 0


@micropython.viper
def open_window(w: ptr32, t_ms: int):
    """Begin the log's next window at `t_ms`."""
    w[W_SUM_UA] = 0
    w[W_SUM_SECOND_UA] = 0
    w[W_SUM_MV] = 0
    w[W_COUNT] = 0
    w[W_MIN_UA] = _NO_MIN_UA
    w[W_MAX_UA] = 0
    w[W_MAX_MV] = 0
    w[W_DUE_MS] = t_ms + w[W_PERIOD_MS]


@micropython.viper
def take_window(sample: ptr32, w: ptr32, s: ptr32, state: int):
    """Make the log's open window, which has at least one cycle, a sample."""
    count = w[W_COUNT]
    sample[L_T_MS] = s[S_T_MS]
    sample[L_SETPOINT_UA] = s[S_SETPOINT_UA]
    sample[L_MEAN_UA] = w[W_SUM_UA] // count
    sample[L_MIN_UA] = w[W_MIN_UA]
    sample[L_MAX_UA] = w[W_MAX_UA]
    sample[L_SECOND_MEAN_UA] = w[W_SUM_SECOND_UA] // count
    sample[L_LOAD_MV] = w[W_SUM_MV] // count
    sample[L_LOAD_MAX_MV] = w[W_MAX_MV]
    sample[L_CYCLES] = count
    sample[L_STATE] = state
    sample[L_FLAGS] = s[S_LIMITED]
    sample[L_CHARGE_UC] = s[S_CHARGE_UC]


@micropython.viper
def fold(b: ptr8, to: int, at: int):
    """Merge the packed sample at b[at] and the one after it into one at b[to], `to` not after `at`.

    Time, charge, set-point and state are the later one's, means are weighted by their cycles, extremes stay.
    """
    later = at + _B_SIZE
    one = b[at + _B_CYCLES] | b[at + _B_CYCLES + 1] << 8
    two = b[later + _B_CYCLES] | b[later + _B_CYCLES + 1] << 8
    both = one + two
    for place in range(_B_MEAN):
        b[to + place] = b[later + place]
    place = _B_MEAN
    while place < _B_CYCLES:
        value = b[at + place] | b[at + place + 1] << 8
        second = b[later + place] | b[later + place + 1] << 8
        if place == _B_MEAN or place == _B_SECOND or place == _B_LOAD:  # noqa: SIM109 - a tuple would be made; viper compares integers
            value = (value * one + second * two + (both >> 1)) // both
        elif place == _B_MIN:
            value = second if second < value else value
        elif second > value:
            value = second
        b[to + place] = value & 0xFF
        b[to + place + 1] = value >> 8
        place += 2
    b[to + _B_CYCLES] = both & 0xFF
    b[to + _B_CYCLES + 1] = both >> 8
    b[to + _B_STATE] = b[later + _B_STATE]
    b[to + _B_FLAGS] = b[at + _B_FLAGS] | b[later + _B_FLAGS]


@micropython.viper
def move(b: ptr8, to: int, at: int):
    """Copy the packed sample at b[at] to b[to]."""
    for place in range(_B_SIZE):
        b[to + place] = b[at + place]


@micropython.viper
def cycle(g: ptr32, s: ptr32, r: ptr32, k: ptr32, w: ptr32, dt_us: int, mode: int) -> int:
    """One cycle of a session that delivers: judge, advance, control, log window; the duty is left in k[K_DUTY].

    Return 0 when there is nothing else to do, else what was found (FOUND_...); after a verdict or an event the
    duty is the old one and the window does not have this cycle.
    """
    if dt_us > g[G_LATE_MAX_US]:
        g[G_LATE_MAX_US] = dt_us
    verdict = int(judge(g, r, s[S_SETPOINT_UA], dt_us))
    if verdict != V_NONE:
        return verdict
    event = int(advance(s, r, dt_us, mode))
    if event != E_NONE:
        return event << FOUND_EVENT_SHIFT
    k[K_DUTY] = int(control(k, int(drive_ua(s)), r[R_CURRENT_UA], s[S_STEADY]))
    return FOUND_WINDOW if int(window(w, r, s[S_T_MS])) != 0 else 0


@micropython.viper
def fill_status(t: ptr32, s: ptr32, r: ptr32, k: ptr32):
    """Put what session, reading and controller know into the status block."""
    current_ua = r[R_CURRENT_UA]
    t[T_SETPOINT_UA] = s[S_SETPOINT_UA]
    t[T_CURRENT_UA] = current_ua
    t[T_SENSE_UA] = r[R_SENSE_UA]
    t[T_SECOND_UA] = r[R_SECOND_UA]
    t[T_LOAD_MV] = r[R_LOAD_MV]
    t[T_RAIL_MV] = r[R_RAIL_MV]
    t[T_VSYS_MV] = r[R_VSYS_MV]
    t[T_DUTY] = k[K_DUTY]
    t[T_LOAD_OHM] = (r[R_LOAD_MV] * 1_000) // current_ua if current_ua > _LOAD_FROM_UA else _MAX_LOAD_OHM
    t[T_CHARGE_UC] = s[S_CHARGE_UC]
    t[T_TARGET_UA] = s[S_GOAL_UA]
    t[T_LEAST_UA] = s[S_FLOOR_UA]
    t[T_COMFORT] = s[S_FELT] & 3
    t[T_COMFORT_COUNT] = (s[S_FELT] >> 2) & 0xFF
    t[T_ELAPSED_MS] = s[S_T_MS]


@micropython.viper
def remaining_ms(s: ptr32) -> int:
    """Return the time (ms) that the rest of the dose takes with good contact, reversals apart; in 31 bits."""
    left_uc = s[S_DOSE_UC] - s[S_CHARGE_UC]
    mean_ua = s[S_MEAN_UA]
    if left_uc <= 0 or mean_ua == 0:
        return 0
    whole_s = left_uc // mean_ua  # uC / uA = s
    rest_uc = left_uc - whole_s * mean_ua
    return whole_s * 1_000 + (rest_uc * 1_000) // mean_ua + s[S_RAMP_DOWN_US] // 2_000
