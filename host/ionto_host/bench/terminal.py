"""The person at the terminal, asked in the middle of a pytest run, which takes the terminal away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ionto_host.bench.rig import Person


@contextmanager
def uncaptured(config: pytest.Config) -> Iterator[None]:
    """Give the terminal back around the caller's work: pytest takes stdin away as well."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    capture.suspend_global_capture(in_=True)
    try:
        yield
    finally:
        capture.resume_global_capture()


def can_ask(config: pytest.Config) -> bool:
    """Return True when a person sits at a terminal."""
    if hasattr(config, "workerinput"):
        return False
    with uncaptured(config):
        return sys.__stdin__ is not None and sys.__stdin__.isatty()


def person(config: pytest.Config) -> Person:
    """Return the person at the terminal; pytest's capturing is suspended while one is asked."""

    def ask_line(text: str) -> str:
        with uncaptured(config):
            return input(f"\n{text} ")

    def ask(text: str) -> float:
        while True:
            try:
                return float(ask_line(text).replace(",", "."))
            except ValueError:
                print("A number is expected.", file=sys.stderr)

    def act(text: str) -> None:
        ask_line(f"{text}, then press Enter.")

    return Person(ask, act)
