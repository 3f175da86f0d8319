"""The netlist that KiCad exports, and its checks against the firmware's pins and limits."""
