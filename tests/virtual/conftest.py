"""Fixtures of the virtual tier."""

from pathlib import Path

import pytest
import uf2_image
from workbench import Bench, run_tool

from ionto_sim import image
from ionto_sim.client import VirtualPico
from ionto_sim.config import Paths


def pytest_collection_modifyitems(items):
    for item in items:
        if "virtual" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.virtual)


@pytest.fixture(autouse=True)
def kept(tmp_path_factory, monkeypatch):
    """The folder of pulled logs and of what was watched: of the test, not of whoever runs it."""
    folder = tmp_path_factory.mktemp("kept")
    monkeypatch.setenv("IONTO_LOGS", str(folder))
    return folder


@pytest.fixture(scope="session")
def flashed_image(tmp_path_factory):
    """The flash image of a board on which the real `ionto flash` installed the firmware."""
    folder = tmp_path_factory.mktemp("blank")
    with VirtualPico(state_dir=folder, bench_strap=True) as pico:
        run_tool("--port", pico.port, "flash")
    return Paths(str(folder)).image


@pytest.fixture(scope="session")
def flashed_files(flashed_image):
    """The files of that board."""
    return image.read_files(flashed_image)


@pytest.fixture
def bench_with(flashed_files, tmp_path):
    """Start flashed virtual Picos with the settings given; all end with the test."""
    started = []

    def start(**settings):
        options = {"load": 2000, "speed": "max", "bench_strap": True, "firmware": flashed_files, **settings}
        pico = VirtualPico(state_dir=tmp_path / f"pico{len(started)}", **options)
        started.append(pico)
        return Bench(pico, tmp_path, options["speed"])

    yield start
    for pico in started:
        pico.close()


@pytest.fixture
def bench(bench_with):
    """A flashed virtual Pico on 2 kohm with the bench strap fitted, as fast as the machine runs it."""
    return bench_with()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder of simulators, and a MicroPython image: {environment variable: value}."""
    (tmp_path / "image.uf2").write_bytes(uf2_image.image(64))
    changes = {"IONTO_SIMS": str(tmp_path / "sims"), "IONTO_UF2": str(tmp_path / "image.uf2")}
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("IONTO_PORT", raising=False)
    return tmp_path
