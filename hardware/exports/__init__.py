"""What KiCad makes of the schematic: netlist, PDF, pictures, parts list; and the programs that it takes."""
