"""The circuit in ngspice. Without libngspice these tests do not run, and say what to type."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from ionto_sim.spice import engine
from ionto_sim.spice.errors import SpiceMissingError


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop before the first test where libngspice is missing."""
    try:
        engine.library()
    except SpiceMissingError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture
def forked() -> Callable[[Callable[[], Any]], Any]:
    """Run a function in a copy of this process and return what it returned; the copy's error is the test's."""

    def run(work: Callable[[], Any]) -> Any:
        import pickle

        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(out)
            try:
                answer: tuple[bool, Any] = (True, work())
            except BaseException as error:
                answer = (False, repr(error))
            with os.fdopen(into, "wb") as pipe:
                pickle.dump(answer, pipe)
            os._exit(0)
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            good, answer = pickle.load(pipe)
        os.waitpid(pid, 0)
        assert good, answer
        return answer

    return run
