"""The board as a thing on the desk: MicroPython and firmware onto it, and its calibration."""
