"""The virtual Pico: the board's circuit as a model, and the firmware running unmodified in front of it.

`circuit`, `load`, `ina219_model`, `meter` and `faults` are pure models that CPython and MicroPython both run.
`vm` runs inside the MicroPython Unix VM. `supervisor` and `client` run on CPython.
"""
