"""The sheets of the schematic, one module each."""
