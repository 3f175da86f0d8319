"""Put before boot.py: GP21 is high while the firmware collects garbage."""

import gc
import sys

import machine


class _Timed:
    def __init__(self):
        self._pin = machine.Pin(21, machine.Pin.OUT, value=0)

    def __getattr__(self, name):
        return getattr(gc, name)

    def collect(self):
        self._pin(1)
        gc.collect()
        self._pin(0)


sys.modules["gc"] = _Timed()
