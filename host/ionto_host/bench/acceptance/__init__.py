"""The acceptance suite of a bench, one code for virtual, emulated and real boards: `ionto bench run`."""
