"""Runs tests in a copy of the tree: one process that has pytest loaded and forks for each job.

Started by `workshop` in the copy, with the copy first on its path. A job is a line of JSON on stdin, its answer one on
stdout. Each job runs in a fork of its own, so what a mutant does to the process is gone with it. Nothing of the
firmware or the host tool is imported before the fork.

A test may use so much processor time, not so much time: how busy the machine is makes no mutant look endless.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest

_COLLECT_CPU_S = 120.0
_UNKNOWN_CPU_S = 60.0
_WALL_S = 1_800  # nothing here waits for anything: a safety net
_MEMORY_BYTES = 6 << 30
_TIMED_OUT = (signal.SIGPROF, signal.SIGALRM)
# Plugins that have nothing to say here; that of the hazards would put a mutant's results into its record.
_UNUSED = ("cacheprovider", "xdist", "faulthandler", "ionto_bench", "verification.hazards.plugin")
_OPTIONS = ["--quiet", "--tb=no", "--rootdir=.", *(part for name in _UNUSED for part in ("-p", f"no:{name}"))]
_OPTIONS += ["-o", "markers=hazard"]
_PRELOADED = ("hypothesis.stateful", "numpy", "click", "rich.progress", "serial")  # what tests spend their start on


class Chosen:
    """Pytest plugin: of what is collected only `order`, in that order, each with its limit of processor time (s).

    Before each test its name is left in `answer`, should the fork be ended there.
    """

    def __init__(self, order: list[str], limits: dict[str, float], answer: Path):
        self._rank = {node: rank for rank, node in enumerate(order)}
        self._limits = limits
        self._answer = answer
        self.failed = ""
        self.ran: list[str] = []

    def pytest_sessionstart(self) -> None:
        """Once tests/unit/conftest.py has been read."""
        _settle_hypothesis()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select and sort. A mutant may change a test's parameters: for a name that is gone, all of its test run."""
        gone = {_plain(node) for node in self._rank.keys() - {item.nodeid for item in items}}
        chosen = [item for item in items if item.nodeid in self._rank or _plain(item.nodeid) in gone]
        items[:] = sorted(chosen, key=lambda item: self._rank.get(item.nodeid, len(self._rank)))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Count the processor time of one test: SIGPROF ends the fork."""
        _leave(self._answer, {"running": item.nodeid})
        self.ran.append(item.nodeid)
        signal.setitimer(signal.ITIMER_PROF, self._limits.get(item.nodeid, _UNKNOWN_CPU_S))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first that failed."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


class Measured:
    """Pytest plugin: for every test its processor time (s), and the lines of the firmware that it runs."""

    def __init__(self, root: Path, folder: str):
        self._root = root
        self._coverage = coverage.Coverage(data_file=None, config_file=False, include=[str(root / folder / "*")])
        self.tests: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_sessionstart(self) -> None:
        """Begin, before any module of the firmware is imported."""
        _settle_hypothesis()
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """One test is one context."""
        self._coverage.switch_context(item.nodeid)
        began = _cpu_s()
        try:
            return (yield)
        finally:
            self.tests[item.nodeid] = _cpu_s() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which failed: nothing can be said by tests that fail without a mutant."""
        if report.failed:
            self.failed.append(report.nodeid)

    def lines(self) -> dict[str, dict[str, list[int]]]:
        """Return {test: {file: lines}}."""
        self._coverage.stop()
        data = self._coverage.get_data()
        found: dict[str, dict[str, list[int]]] = {node: {} for node in self.tests}
        for file in data.measured_files():
            name = Path(file).relative_to(self._root).as_posix()
            for line, nodes in data.contexts_by_lineno(file).items():
                for node in nodes:
                    if node in found:
                        found[node].setdefault(name, []).append(line)
        return found


def _settle_hypothesis() -> None:
    """Let Hypothesis try the same examples every time, tell a failure as it is found, and look at no clock."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    check = hypothesis.HealthCheck
    settings = hypothesis.settings(
        deadline=None,
        derandomize=True,
        database=None,
        phases=phases,
        suppress_health_check=[check.too_slow, check.data_too_large, check.filter_too_much],
    )
    hypothesis.settings.register_profile("mutants", settings)
    hypothesis.settings.load_profile("mutants")


def _plain(node: str) -> str:
    """Return a test's name without its parameters."""
    return node.partition("[")[0]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _pytest(files: list[str], plugin: object) -> int:
    stop = [] if isinstance(plugin, Measured) else ["--exitfirst"]
    return int(pytest.main([*_OPTIONS, *stop, *files], plugins=[plugin]))


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    plugin = Measured(Path.cwd(), job["folder"])
    code = _pytest(job["files"], plugin)
    return {"code": code, "tests": plugin.tests, "failed": plugin.failed, "lines": plugin.lines()}


def _try(job: dict[str, Any], answer: Path) -> dict[str, Any]:
    plugin = Chosen(job["order"], job["limits"], answer)
    signal.setitimer(signal.ITIMER_PROF, _COLLECT_CPU_S)
    code = _pytest(job["files"], plugin)
    return {"code": code, "failed": plugin.failed, "ran": plugin.ran}


def _leave(answer: Path, what: dict[str, Any]) -> None:
    answer.write_text(json.dumps(what), encoding="utf-8")


def _in_fork(job: dict[str, Any], answer: Path) -> None:
    os.setsid()
    for number in _TIMED_OUT:
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(_WALL_S)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    _leave(answer, {"running": ""})
    _leave(answer, _measure(job) if job["do"] == "measure" else _try(job, answer))


def serve(job: dict[str, Any], answer: Path) -> dict[str, Any]:
    """Do `job` in a fork; return what it left, with the `signal` that ended it, 0 for none."""
    child = os.fork()
    if not child:
        try:
            _in_fork(job, answer)
        except BaseException:
            _leave(answer, {"error": traceback.format_exc()})
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a test may have started and a mutant kept from ending
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {**json.loads(answer.read_text(encoding="utf-8")), "signal": number, "timed_out": number in _TIMED_OUT}


def main() -> None:
    """Serve until stdin ends."""
    answer = Path(sys.argv[1])
    for name in _PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line), answer)), flush=True)


if __name__ == "__main__":
    main()
