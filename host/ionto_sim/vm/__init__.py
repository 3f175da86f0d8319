"""What runs inside the MicroPython Unix VM: shadows of the chip's modules over the circuit, in virtual time."""
