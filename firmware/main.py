"""Run, or leave the REPL to mpremote. Short, because the board compiles this file itself: see ionto.start."""

from ionto import start

start.main(globals()["BOOT"])  # left by boot.py, which shares these globals
