"""The circuit in ngspice: blocks as netlists, values from the schematic, checks with limits (`make hardware`)."""
