"""Pytest plugin: refuses markers of unknown hazards, records each result, and runs what is not proven yet.

Loaded by tests/conftest.py, so `make test`, `make emu` and a run of a single test all record.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from verification.hazards import document, record

MARKER = "hazard"
_RECORDER = pytest.StashKey["Recorder"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--unproven`."""
    text = "collect everything, run the tests that prove a hazard and have no result for these sources"
    parser.getgroup("hazards").addoption("--unproven", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record."""
    config.addinivalue_line("markers", f"{MARKER}(*ids): the hazards of {document.DOCUMENT} that this test proves")
    config.stash[_RECORDER] = recorder = Recorder(config)
    config.pluginmanager.register(recorder, "hazard-recorder")


def hazards_of(item: pytest.Item) -> list[str]:
    """Return the ids of a test's markers, each once; UsageError for a marker without ids or with other arguments."""
    keys: dict[str, None] = {}
    for marker in item.iter_markers(MARKER):
        if marker.kwargs or not marker.args:
            raise pytest.UsageError(f'{item.nodeid}: a marker looks like @pytest.mark.{MARKER}("HAZ-01")')
        keys.update(dict.fromkeys(map(str, marker.args)))
    return sorted(keys)


class Recorder:
    """What one pytest run adds to the record."""

    def __init__(self, config: pytest.Config):
        self._config = config
        self._root = config.rootpath
        self._record = record.read(self._root)
        self._outcomes: dict[str, str] = {}
        self.note = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Check every marker; with `--unproven` keep the tests that have to run."""
        marked = {item.nodeid: keys for item in items if (keys := hazards_of(item))}
        self._refuse_unknown(marked)
        if not config.getoption("--unproven"):
            return
        self._record.marked = marked
        self._record.required = [f"{Path(name).as_posix()}/" for name in config.getini("testpaths")]
        wanted = set(self._record.unproven())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
        items[:] = [item for item in items if item.nodeid in wanted]

    def _refuse_unknown(self, marked: dict[str, list[str]]) -> None:
        known = {hazard.key for hazard in document.read(self._root)} if marked else set()
        for node, keys in marked.items():
            for key in keys:
                if key not in known:
                    raise pytest.UsageError(f"{node}: {key} is not in {document.DOCUMENT}; add it there or correct it")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of set-up, call and tear-down; an expected failure is no pass."""
        if report.when == "setup":
            self._outcomes[report.nodeid] = record.PASSED
        if report.outcome != record.PASSED and self._outcomes[report.nodeid] != record.FAILED:
            self._outcomes[report.nodeid] = report.outcome
        if report.when == "teardown":
            self._record.results[report.nodeid] = self._outcomes.pop(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the record, unless the sources are no longer those that were tested; the controller does it for all."""
        if self._learnt_nothing() or hasattr(self._config, "workerinput"):  # a worker of pytest-xdist
            return
        if not self._record.keep(self._root):
            self.note = f"{record.RECORD} not written: the sources changed while the tests ran"

    def _learnt_nothing(self) -> bool:
        """Return True for a run that only collected, unless it was to tell which tests prove a hazard."""
        return self._config.option.collectonly and not self._config.getoption("--unproven")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say when nothing was recorded."""
        if self.note:
            terminalreporter.write_line(self.note)
