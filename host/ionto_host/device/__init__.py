"""The device as the host speaks to it: its commands, its words, its tables."""
