"""`ionto` run in this process, as a shell would: exit code, what it printed, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ionto_host import cli

EXAMPLES = Path(__file__).parents[3] / "examples"
BENCH = str(EXAMPLES / "bench_resistor.toml")


class Shell:
    """Runs `ionto` against one fake device and keeps what it printed."""

    def __init__(self, port: str, capture: pytest.CaptureFixture[str]) -> None:
        self.port = port
        self.out = ""
        self.err = ""
        self._capture = capture

    def __call__(self, *arguments: str) -> int:
        """Run `ionto` with `arguments` and return its exit code."""
        code = cli.main([*arguments, "--port", self.port])
        self.out, self.err = self._capture.readouterr()
        assert "Traceback" not in self.err
        return code

    def json(self, *arguments: str) -> Any:
        """Return the JSON that a command printed, which must be all of stdout."""
        code = self(*arguments, "--json")
        documents = [json.loads(line) for line in self.out.splitlines()]
        self.code = code
        return documents[0] if len(documents) == 1 else documents


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run `ionto`; return exit code, stdout and stderr."""
    code = cli.main([str(item) for item in arguments])
    out, err = capsys.readouterr()
    return code, out, err
