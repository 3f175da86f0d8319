"""The command `ionto`. Imports nothing heavy: Ctrl-C has to end it in order from the first moment on."""

from __future__ import annotations

import io
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run `ionto` with `arguments` (those of the process when None) and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    _print_anything()
    try:
        from ionto_host.cli.root import run

        return run(given)
    except KeyboardInterrupt:  # while importing, or a second one
        return _interrupted(given)


def _print_anything() -> None:
    """Let a letter that the terminal or file cannot hold be printed as its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupted(arguments: list[str]) -> int:
    from ionto_host.errors import report

    told = report(KeyboardInterrupt())
    if "--json" in arguments:
        import json

        print(json.dumps(told.as_dict()))
    else:
        print(f"Error: {told.message}", file=sys.stderr)
    return int(told.exit_code)
