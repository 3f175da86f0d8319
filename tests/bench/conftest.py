"""The bench itself under test: wrong benches that it must catch. `make bench` and `.ci/run` run what it verifies."""

from pathlib import Path

import pytest

from ionto_host.bench import benchfile, rig
from ionto_host.board import flashing
from ionto_sim import image
from ionto_sim.client import VirtualPico
from ionto_sim.config import Paths

EXAMPLE = (Path(__file__).parents[2] / "examples" / "virtual_bench.toml").read_text()


@pytest.fixture(scope="session")
def flashed_once(tmp_path_factory):
    """Flash one virtual board, and let the benches of this process have its files."""
    folder = tmp_path_factory.mktemp("blank")
    with VirtualPico(state_dir=folder) as pico:
        flashing.flash(pico.port, flashing.Watch(), self_test=False)
    files = image.read_files(Paths(folder).image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig, "_files", lambda bench: files)
        yield files


@pytest.fixture
def bench_file(tmp_path):
    """Write the virtual bench's file with what is really there changed; return its path."""

    def write(really="", **replaced):
        text = f"{EXAMPLE}\n{really}\n"
        for old, new in replaced.items():
            old = old.replace("_is_", " = ")
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "bench.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def pico(flashed_once, tmp_path):
    """A board that runs apart from the benches, which outlives them; its load and strap are as in the example."""
    with VirtualPico(state_dir=tmp_path / "pico", firmware=flashed_once, bench_strap=True, load=500) as made:
        yield made


@pytest.fixture
def bench_rig(bench_file, flashed_once):
    """Build the bench of `bench_file`."""
    built = []

    def build(**wrong):
        built.append(rig.build(benchfile.read(bench_file(**wrong)), lambda text: None))
        return built[-1]

    yield build
    for made in built:
        made.close()
