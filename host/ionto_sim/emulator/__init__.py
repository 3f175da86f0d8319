"""The emulated Pico: the real MicroPython image for the RP2040, run by rp2040py behind the same circuit model.

`chip` is the RP2040 with its image, `patches` what rp2040py needs from outside, `wiring` connects the circuit,
`conditions` is the schedule in virtual time, `raw_repl` and `probe` serve tests and measurements in one process.
"""
