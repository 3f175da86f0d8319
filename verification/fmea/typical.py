"""How parts fail that are more than a resistance: by reference, each way with what it means in the circuit.

What a broken or bridged pin does is not here: the netlist gives those. `FAILURES` is what the circuit's model has to
know how to do; `LEAKY` is a bridge between two pins of every part of a kind.
"""

from __future__ import annotations

LEAKY_OHM = 100_000.0  # a junction or a gate oxide that was damaged, by static charge for example

# First letter of the reference, and the pairs of pins by name between which such a part leaks.
LEAKY: dict[str, tuple[tuple[str, str], ...]] = {
    "Q": (("G", "S"), ("G", "D"), ("D", "S"), ("B", "E"), ("B", "C"), ("C", "E")),
    "D": (("A", "K"), ("A", "AK"), ("AK", "K"), ("A", "COM"), ("B", "COM")),
    "C": (("1", "2"),),
}

# Part: {how: what that is}.
FAILURES: dict[str, dict[str, str]] = {
    "Q1": {"vth:low": "threshold 0.8 V", "vth:high": "threshold 1.5 V"},
    "Q2": {"vth:low": "threshold 0.8 V", "vth:high": "threshold 2.0 V"},
    "Q3": {"vth:low": "threshold 0.8 V", "vth:high": "threshold 1.5 V"},
    "Q4": {"vbe:low": "base-emitter voltage 20 mV low", "vbe:high": "base-emitter voltage 20 mV high"},
    "Q9": {"vbe:low": "base-emitter voltage 20 mV low", "vbe:high": "base-emitter voltage 20 mV high"},
    "Q5": {"vth:low": "threshold 0.8 V", "vth:high": "threshold 1.5 V"},
    "Q6": {"vbe:low": "base-emitter voltage 75 mV low", "vbe:high": "base-emitter voltage 45 mV high"},
    "Q8": {"vth:low": "threshold 0.5 V", "vth:high": "threshold 1.3 V"},
    "D3": {"low": "the zener conducts at 18 V", "high": "the zener conducts at 36 V"},
    "U2": {"off": "no reference: a short takes its place at 0 V", "low": "2.25 V", "high": "2.75 V"},
    "U3": {"reference": "stuck at the reference", "ground": "stuck at ground", "both": "both contacts closed"},
    "U4": {
        "A:high": "the sink's amplifier stuck at 3.3 V",
        "A:low": "the sink's amplifier stuck at 0 V",
        "A:offset+": "offset 5 mV",
        "A:offset-": "offset -5 mV",
        "B:high": "the buffer stuck at 3.3 V",
        "B:low": "the buffer stuck at 0 V",
        "B:offset+": "offset 5 mV",
        "B:offset-": "offset -5 mV",
    },
    "U5": {
        "silent": "no answer on I2C",
        "stuck": "the same reading for ever",
        "zero": "reads 0",
        "full": "reads full scale",
        "gain:x0.5": "reads half",
        "gain:x0.9": "reads 10 % low",
        "gain:x1.1": "reads 10 % high",
        "gain:x2": "reads twice",
        "offset+": "reads 50 uA too much",
        "offset-": "reads 50 uA too little",
    },
    "U6": {"over": "no regulation: the converter stops at 28.3 V", "under": "12 V", "off": "does not switch"},
    "K1": {
        "rest": "stuck as without coil current",
        "operated": "stuck as with coil current",
        "between": "no contact closes",
        "pole1:rest": "the first pole stuck as without coil current",
        "pole1:operated": "the first pole stuck as with coil current",
        "pole2:rest": "the second pole stuck as without coil current",
        "pole2:operated": "the second pole stuck as with coil current",
    },
    "A1": {
        "3V3:low": "the regulator gives 3.0 V",
        "3V3:high": "the regulator gives 3.6 V",
        "VREF:low": "the reference of the ADC is 10 % low",
        "VREF:high": "the reference of the ADC is 10 % high",
        "RUN": "held in reset: every pin floats",
        "PWM_SETPOINT:high": "pin stuck high",
        "PWM_SETPOINT:low": "pin stuck low",
        "PWM_SETPOINT:float": "pin drives nothing",
        "HEARTBEAT:high": "pin stuck high",
        "HEARTBEAT:low": "pin stuck low",
        "HEARTBEAT:float": "pin drives nothing",
        "BOOST_ENABLE:high": "pin stuck high",
        "BOOST_ENABLE:low": "pin stuck low",
        "BOOST_ENABLE:float": "pin drives nothing",
        "POLARITY_RELAY:high": "pin stuck high",
        "POLARITY_RELAY:low": "pin stuck low",
        "POLARITY_RELAY:float": "pin drives nothing",
    },
    "BT1": {"empty": "2.9 V", "full": "4.35 V"},
}
