"""Draws the schematic: symbols, parts and pages as data, written as KiCad files; and the pinout page."""
