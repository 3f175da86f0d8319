"""The pytest plugin `ionto_bench`: the fixtures `device`, `meter`, `load` and `power`, for this project and others.

It is loaded wherever pytest and iontopico are installed, and costs nothing there: everything else is imported by the
first test that asks for a fixture. Hardware is touched only with a bench file (`--bench FILE` or IONTO_BENCH).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ionto_host.bench import TIERS, VARIABLE

if TYPE_CHECKING:
    from ionto_host.bench.benchfile import BenchFile
    from ionto_host.bench.fixtures import Measured, Power
    from ionto_host.bench.loads import Load
    from ionto_host.bench.rig import Rig
    from ionto_host.board.meters import Meter
    from ionto_host.device.client import Device

_RECORDER = "ionto-bench-recorder"
_DEVICE_HELP = f"where tests with the fixture `device` run, of {', '.join(TIERS)}; commas between several"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("ionto_bench", "IontoPico bench")
    group.addoption("--bench", metavar="FILE", dest="ionto_bench", help=f"bench file; default: {VARIABLE}")
    group.addoption("--ionto-device", metavar="TIERS", dest="ionto_device", help=_DEVICE_HELP)
    group.addoption(
        "--bench-port", metavar="PORT", dest="ionto_port", help="port or pyserial URL instead of the file's"
    )
    group.addoption("--bench-record", metavar="FILE", dest="ionto_record", help="write the record of the run (JSON)")
    group.addoption("--bench-logs", metavar="DIR", dest="ionto_logs", help="keep the pulled session logs there")
    group.addoption("--bench-calibrate", action="store_true", dest="ionto_calibrate", help="calibrate the board first")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Generator[None, object, object]:
    """Add `--device`, the short name, unless a plugin or a conftest of the project has one of its own."""
    result = yield
    with suppress(ValueError, argparse.ArgumentError):
        group = parser.getgroup("ionto_bench")
        group.addoption("--device", metavar="TIERS", dest="ionto_device", help=_DEVICE_HELP)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and begin the record if one is asked for."""
    config.addinivalue_line("markers", "capability(*names): what the bench needs for this test; skipped without")
    config.addinivalue_line("markers", "emulated_subset: short enough for the emulated board, which is slow")
    if not any(line.startswith("hazard(") for line in config.getini("markers")):
        config.addinivalue_line("markers", "hazard(*ids): the hazards of docs/hazards.md that this test proves")
    if config.getoption("ionto_device"):
        tiers(config)  # says at once what is wrong with it
    if config.getoption("ionto_record"):
        from ionto_host.bench.recorder import Recorder

        config.pluginmanager.register(Recorder(config), _RECORDER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever needs a board on every tier that is asked for."""
    if "ionto_tier" in metafunc.fixturenames:
        metafunc.parametrize("ionto_tier", tiers(metafunc.config), scope="session")


def tiers(config: pytest.Config) -> list[str]:
    """Return where the tests run: what `--device` says, else the bench that is named, else the virtual Pico."""
    asked = config.getoption("ionto_device")
    if not asked:
        return ["bench"] if bench_path(config) else ["virtual"]
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in TIERS:
            raise pytest.UsageError(f"--device {name}: one of {', '.join(TIERS)}")
        if name == "bench" and not bench_path(config):
            raise pytest.UsageError(f"--device bench needs a bench file: --bench FILE, or {VARIABLE}")
    return list(dict.fromkeys(names))


def bench_path(config: pytest.Config) -> Path | None:
    """Return the bench file that is named, None without one."""
    named = config.getoption("ionto_bench") or os.environ.get(VARIABLE)
    return Path(named) if named else None


def bench_of(config: pytest.Config, tier: str) -> BenchFile:
    """Return the bench of `tier`; UsageError for a file that describes none."""
    from ionto_host.bench import benchfile, builtin
    from ionto_host.errors import BenchFileError

    key = _BENCHES
    benches = config.stash.setdefault(key, {})
    if tier not in benches:
        path = bench_path(config)
        try:
            benches[tier] = builtin.choose(tier, benchfile.read(path) if path else None)
        except BenchFileError as error:
            raise pytest.UsageError(f"{error.message}\n{error.action}") from error
    return benches[tier]


_BENCHES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the bench lacks, before anything is touched."""
    tier = getattr(getattr(item, "callspec", None), "params", {}).get("ionto_tier")
    if tier is None:
        return
    from ionto_host.bench.rig import capabilities
    from ionto_host.bench.terminal import can_ask

    has = capabilities(bench_of(item.config, tier), can_ask(item.config))
    lacking = [name for marker in item.iter_markers("capability") for name in marker.args if name not in has]
    if lacking:
        pytest.skip(f"bench lacks: {', '.join(dict.fromkeys(lacking))}")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Skip a test that finds only while it runs that the bench lacks something."""
    if "ionto_tier" not in pyfuncitem.fixturenames:
        return (yield)
    from ionto_host.errors import LackingError

    try:
        return (yield)
    except LackingError as error:
        pytest.skip(error.message)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After a failed safety check, run nothing more."""
    report = yield
    if call.excinfo is not None and "ionto_tier" in getattr(item, "fixturenames", ()):
        failed = _safety_check(call.excinfo.value)
        if failed is not None:
            item.session.shouldstop = f"a safety check failed, the rest is not run: {failed}"
    return report


def _safety_check(error: BaseException) -> BaseException | None:
    """Return the failed safety check that `error` is or holds: pytest puts two errors of a tear-down into a group."""
    from ionto_host.errors import SafetyError, WiringError

    if isinstance(error, (SafetyError, WiringError)):
        return error
    return next(filter(None, map(_safety_check, getattr(error, "exceptions", ()))), None)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Say when the board is not safe: after Ctrl-C and after a stop the fixtures are torn down only here."""
    try:
        return (yield)
    except Exception as error:
        failed = _safety_check(error)
        if failed is None or hasattr(session.config, "workerinput"):
            raise
        session.shouldstop = session.shouldstop or f"a safety check failed: {failed}"
        session.config.get_terminal_writer().line(f"\n{failed}")
        return None


@pytest.fixture(scope="session")
def ionto_bench_port(request: pytest.FixtureRequest) -> str | None:
    """The port of the board, a path or a pyserial URL, where something else than the bench file decides it.

    It is what `--bench-port` says. Projects that get their boards from elsewhere (labgrid) override it.
    """
    return request.config.getoption("ionto_port")


@pytest.fixture(scope="session")
def ionto_bench_meter() -> str | None:
    """The VISA resource of a meter of kind "scpi", where something else than the bench file decides it.

    To be overridden like `ionto_bench_port`.
    """
    return None


@pytest.fixture(scope="session")
def ionto_rig(
    request: pytest.FixtureRequest,
    ionto_tier: str,
    ionto_bench_port: str | None,
    ionto_bench_meter: str | None,
    record_testsuite_property: Callable[[str, object], None],
) -> Iterator[Rig]:
    """The bench, put together once for all tests."""
    from ionto_host.bench import fixtures, terminal

    config = request.config
    bench = fixtures.with_meter(bench_of(config, ionto_tier), ionto_bench_meter)
    if not bench.simulated and hasattr(config, "workerinput"):
        raise pytest.UsageError("one bench cannot be shared by several processes: run without -n")
    person = terminal.person(config) if terminal.can_ask(config) else None
    with fixtures.rig(bench, person, ionto_bench_port) as rig:
        yield rig
        for name, value in fixtures.suite_properties(rig).items():
            record_testsuite_property(f"ionto_{name}", value)


@pytest.fixture(scope="session")
def ionto_logs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the logs of every session are pulled into."""
    named = request.config.getoption("ionto_logs")
    return Path(named) if named else tmp_path_factory.mktemp("logs")


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """What the test measures, for the record, the report and JUnit; each row is checked against its limits."""
    from ionto_host.bench.fixtures import Measured

    return Measured(request.node.user_properties)


@pytest.fixture
def ionto_board(ionto_rig: Rig, ionto_logs: Path, measured: Measured) -> Iterator[Rig]:
    """The bench for one test: the board at rest before it; afterwards safe, and its logs pulled and verified."""
    from ionto_host.bench import fixtures

    yield from fixtures.around_test(ionto_rig, ionto_logs, measured)


@pytest.fixture
def device(ionto_board: Rig) -> Device:
    """The board, at rest: an `ionto_host.device.client.Device` on a virtual, an emulated or a real one."""
    return ionto_board.device


@pytest.fixture
def ionto_wired(request: pytest.FixtureRequest, ionto_board: Rig, measured: Measured) -> Rig:
    """The bench, checked electrically once: meter in series the right way round, load as in the file."""
    from ionto_host.bench import fixtures

    fixtures.wired(ionto_board, measured, bool(request.config.getoption("ionto_calibrate")))
    return ionto_board


@pytest.fixture
def meter(ionto_wired: Rig) -> Meter:
    """The independent meter in series with the load; its zero is in `ionto_rig.meter_zero_ua`."""
    return ionto_wired.meter


@pytest.fixture
def load(ionto_wired: Rig) -> Load:
    """The load: `ohm`, `tolerance_ppm`, `set_ohm`."""
    return ionto_wired.load


@pytest.fixture
def power(ionto_board: Rig) -> Iterator[Power]:
    """USB cable and battery of the board: `unplug`, `plug`, `cut`, `restore`; all is on again after the test."""
    from ionto_host.bench.fixtures import Power

    supply = Power(ionto_board)
    yield supply
    supply.rest()
