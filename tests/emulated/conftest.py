"""One fixture for both Picos: the emulated one where an image is at hand, else the virtual one with the same tests.

The emulated Pico is 5 to 30 times slower than real time, so it boots once and the tests get copies of it.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec

import pytest
from workbench import Bench, run_tool

from ionto_host import patience
from ionto_host.board import firmware_files, micropython_image
from ionto_host.errors import MissingPartError
from ionto_sim import image as flash_image
from ionto_sim.client import VirtualPico
from ionto_sim.config import Paths

# Times real time, on a machine that does other things too: rp2040py's wheel for 3.10 is 4 times as fast as the others.
PATIENCE = "10" if sys.version_info < (3, 11) else "40"
HOLD = {"current_ma": 2, "dose_ma_min": 1}


@dataclass(frozen=True)
class Tier:
    """Which Pico the tests run on: with which image, or why there is none."""

    image: micropython_image.Image | None
    reason: str = ""

    @property
    def settings(self):
        """The settings of `VirtualPico` that make it a Pico of this tier."""
        return {"image": str(self.image.path), "speed": 1} if self.image else {"speed": "max"}

    def __str__(self):
        if self.image is None:
            return f"virtual Pico. The emulated one did not run: {self.reason}"
        official = "the official one" if self.image.official else "NOT the official one"
        return f"emulated Pico, image {self.image.path}, SHA-256 {self.image.sha256}, {official}"


def _choose():
    if find_spec("rp2040py") is None:
        return Tier(None, "rp2040py is not installed. Type: pip install 'iontopico[emulator]'")
    try:
        return Tier(micropython_image.find())
    except MissingPartError as error:
        if os.environ.get(micropython_image.VARIABLE):
            raise pytest.UsageError(f"{error.message}. {error.action}") from error
        return Tier(None, f"{error.message}. {error.action}")


def pytest_configure(config):
    config.stash[_TIER] = _choose()


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line(f"Tier: {config.stash[_TIER]}")


_TIER = pytest.StashKey[Tier]()


@pytest.fixture(scope="session")
def tier(request):
    """Which Pico the tests run on."""
    return request.config.stash[_TIER]


@pytest.fixture(scope="session")
def image(tier):
    """The path of the MicroPython image; tests about the image alone are skipped without one."""
    if tier.image is None:
        pytest.skip(tier.reason)
    return tier.image.path


@pytest.fixture(scope="session", autouse=True)
def _patience(tier):
    """Have the host wait as long as an emulated board needs."""
    with pytest.MonkeyPatch.context() as patch:
        if tier.image:
            patch.setenv(patience.VARIABLE, PATIENCE)
        yield


@pytest.fixture(scope="session")
def flashed_files(tier, tmp_path_factory):
    """The files of a board that runs the firmware, as `ionto flash` leaves them."""
    if tier.image:
        return firmware_files.build(firmware_files.RP2040_MPY).contents()
    folder = tmp_path_factory.mktemp("blank")
    with VirtualPico(state_dir=folder, bench_strap=True) as pico:
        run_tool("--port", pico.port, "flash")
    return flash_image.read_files(Paths(folder).image)


@pytest.fixture
def pico_with(tier, tmp_path):
    """Start Picos of the tier with the settings given, on 2 kohm with the bench strap; all end with the test."""
    with contextlib.ExitStack() as stack:

        def start(**settings):
            folder = tmp_path / f"pico{len(list(tmp_path.glob('pico*')))}"
            options = {"load": 2000, "bench_strap": True, **tier.settings, **settings}
            return stack.enter_context(VirtualPico(state_dir=folder, **options))

        yield start


@pytest.fixture(scope="session")
def ready(tier, flashed_files, tmp_path_factory):
    """An emulated Pico that has booted and stands still; None in the virtual tier."""
    if tier.image is None:
        yield None
        return
    folder = tmp_path_factory.mktemp("ready")
    with VirtualPico(state_dir=folder, firmware=flashed_files, load=2000, bench_strap=True, **tier.settings) as pico:
        bench = Bench(pico, folder)
        bench.wait_state("IDLE")
        pico.freeze()
        yield bench


@pytest.fixture(scope="session")
def holding(ready, tmp_path_factory):
    """A copy of it with the full current flowing, standing still; None in the virtual tier."""
    if ready is None:
        yield None
        return
    with _copy(ready, tmp_path_factory.mktemp("holding")) as bench:
        bench.start_and_hold(for_us=200_000, **HOLD)
        bench.pico.freeze()
        yield bench


@contextlib.contextmanager
def _copy(bench, folder):
    """A copy of the Pico of `bench` that goes on from where that one stands still."""
    pico = bench.pico.fork(folder / "pico")
    try:
        yield Bench(pico, folder)
    finally:
        pico.stop()


@pytest.fixture
def bench(request, ready, tmp_path):
    """A Pico that has booted the firmware, with its user's tools."""
    if ready is None:
        pico_with = request.getfixturevalue("pico_with")
        yield Bench(pico_with(firmware=request.getfixturevalue("flashed_files")), tmp_path)
        return
    with _copy(ready, tmp_path) as copy:
        yield copy


@pytest.fixture
def bench_in_hold(request, tmp_path):
    """A Pico with 2 mA flowing through 2 kohm, with its user's tools."""
    holding = request.getfixturevalue("holding")
    if holding is None:
        bench = request.getfixturevalue("bench")
        bench.start_and_hold(for_us=200_000, **HOLD)
        yield bench
        return
    with _copy(holding, tmp_path) as copy:
        yield copy
