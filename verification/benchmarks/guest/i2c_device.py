"""adafruit_bus_device.i2c_device on machine.I2C: the least that adafruit_register asks for."""


class I2CDevice:
    """A device at `address` on `bus`, without locks or a probe, so that the peer's own cost is what is measured."""

    def __init__(self, bus, address, probe=True):
        self._bus = bus
        self._address = address

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return False

    def write(self, buffer, *, start=0, end=None):
        """Write buffer[start:end]."""
        self._bus.writeto(self._address, memoryview(buffer)[start:end])

    def write_then_readinto(self, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None):
        """Write out[out_start:out_end], then, without a stop between, read into[in_start:in_end]."""
        self._bus.writeto(self._address, memoryview(out)[out_start:out_end], False)
        self._bus.readfrom_into(self._address, memoryview(into)[in_start:in_end])
