"""The build on a breadboard: its holes and wires, and its picture."""
