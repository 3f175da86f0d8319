"""An I2C bus as CircuitPython and Blinka have it, and one as MicroPython has it, with register models on them."""

from ionto_sim.ina219_model import Ina219

TRANSFER_US = 1_000  # longer than a conversion of 12 bits


class Source:
    """What both chips sense: a constant shunt voltage in nV, a bus voltage in mV."""

    def __init__(self):
        self.nv, self.mv = 0, 5_000

    def shunt_nv(self, start_us, end_us, now_us):
        return self.nv

    def bus_mv(self):
        return self.mv


class Wires:
    """Chips by address, and the time that passes with every transfer."""

    def __init__(self, **chips):
        self.chips = {int(name.removeprefix("at_"), 16): chip for name, chip in chips.items()}
        self.now_us = 0
        self.broken = False

    def chip(self, address):
        self.now_us += TRANSFER_US
        if self.broken or address not in self.chips:
            raise OSError(19, "No such device")
        return self.chips[address]


class CircuitPythonI2C(Wires):
    """busio.I2C."""

    locked = False

    def try_lock(self):
        if self.locked:
            return False
        self.locked = True
        return True

    def unlock(self):
        self.locked = False

    def scan(self):
        return sorted(self.chips)

    def writeto(self, address, buffer, *, start=0, end=None):
        assert self.locked, "a CircuitPython bus is locked while it is used"
        self.chip(address).write(bytes(buffer[start:end]), self.now_us)

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        assert self.locked
        size = len(buffer[start:end])
        data = bytearray(size)
        self.chip(address).read_into(data, self.now_us)
        buffer[start : start + size] = data

    def writeto_then_readfrom(self, address, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None):
        self.writeto(address, out, start=out_start, end=out_end)
        self.readfrom_into(address, into, start=in_start, end=in_end)


class MicroPythonI2C(Wires):
    """machine.I2C."""

    def writeto(self, address, buffer):
        self.chip(address).write(bytes(buffer), self.now_us)

    def readfrom_into(self, address, buffer):
        self.chip(address).read_into(buffer, self.now_us)


def chip(source, gain=1.0, offset_uv=0.0):
    """A chip without noise on `source`."""
    return Ina219(source, gain, offset_uv, 0.0, 1)
