"""Time and heap of one INA219 sample with each driver; run by verification.benchmarks.peers."""

import gc
import time

import machine

from ionto import ina219, limits

_CALLS = 200


def ours(bus, address):
    """Return {what: call} of our driver."""
    build = limits.for_variant("A")
    sensor = ina219.Ina219(bus, address, build.shunt_mohm, build.pga_range_mv)
    if not sensor.configure():
        raise OSError("no INA219")

    def current_ua():
        sensor.sample()
        return sensor.raw * sensor.ua_per_lsb

    return {"sample": sensor.sample, "current": current_ua}


def adafruit(bus, address):
    """Return {what: call} of adafruit-circuitpython-ina219."""
    from adafruit_ina219 import INA219

    peer = INA219(bus, address)
    return {"shunt_voltage": lambda: peer.shunt_voltage, "current": lambda: peer.current}


def pyb(bus, address):
    """Return {what: call} of pyb_ina219."""
    from ina219 import INA219

    peer = INA219(10, bus, address=address)
    peer.configure(gain=INA219.GAIN_2_80MV)
    return {"shunt_voltage": peer.shunt_voltage, "current": peer.current}


def measure(call):
    """Return us and bytes a call."""
    call()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    start_us = time.ticks_us()
    for _ in range(_CALLS):
        call()
    passed_us = time.ticks_diff(time.ticks_us(), start_us)
    taken = gc.mem_alloc() - before
    gc.enable()
    return passed_us / _CALLS, taken / _CALLS


def main(drivers, number, scl, sda, freq_hz, address):
    """Print {driver.what: [us a call, bytes a call]}, less the cost of calling nothing."""
    bus = machine.I2C(number, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=freq_hz)
    empty_us, empty_bytes = measure(lambda: None)
    found = {}
    for driver in drivers:
        for what, call in {"ours": ours, "adafruit": adafruit, "pyb": pyb}[driver](bus, address).items():
            spent_us, taken = measure(call)
            found[driver + "." + what] = [spent_us - empty_us, taken - empty_bytes]
    print(found)
