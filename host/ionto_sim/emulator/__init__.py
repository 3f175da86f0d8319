"""The emulated Pico: the real MicroPython image for the RP2040, run by rp2040py behind the same circuit model.

`chip` is the RP2040 with its image, `patches` what rp2040py needs from outside, `wiring` connects the circuit,
`line` is its serial port, `supervisor` runs it all; `raw_repl` and `probe` serve tests and measurements in one process.
"""
