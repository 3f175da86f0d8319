"""The drawn circuit in ngspice: built from the schematic's own netlist, stepped from Python, one circuit a process.

`drawing` makes a deck of the netlist, `parts` says what each part is in SPICE, `mutations` what can break, `engine`
steps libngspice. CPython only; nothing here starts a thread, so that a running circuit survives `os.fork()`.
"""
