"""The bench itself under test: wrong benches that it must catch. `make bench` and `.ci/run` run what it verifies."""

from pathlib import Path

import pytest

from ionto_host.bench import benchfile, rig

EXAMPLE = (Path(__file__).parents[2] / "examples" / "virtual_bench.toml").read_text()


@pytest.fixture(scope="session")
def flashed_once():
    """Flash one virtual board, and let the other benches of this process have its files."""
    kept = {}
    flash = rig._flashed

    def flashed(client, parts, folder, settings):
        if "files" not in kept:
            kept["files"] = flash(client, parts, folder, settings)
        return kept["files"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig, "_flashed", flashed)
        yield


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
def bench_rig(bench_file, flashed_once):
    """Build the bench of `bench_file`."""
    built = []

    def build(**wrong):
        built.append(rig.build(benchfile.read(bench_file(**wrong)), lambda text: None))
        return built[-1]

    yield build
    for made in built:
        made.close()
