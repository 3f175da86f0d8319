"""Options that name what a command writes, and the one way in which a command writes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ionto_host import outfile
from ionto_host.cli.common import note, settings, store
from ionto_host.errors import UsageError


class Output(click.Path):
    """The type of every option that names a file to write: `-` is standard output."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, allow_dash=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return `value` as a path; `./-` is a file of that name."""
        found = Path(os.fsdecode(super().convert(value, param, ctx)))
        return Path.cwd() / found if found == outfile.STDOUT and str(value) != "-" else found


OUTPUT = Output()


def output(*names: str, help: str) -> Callable[[Any], Any]:
    """Give a command an option that names what it writes."""
    return click.option(*names, type=OUTPUT, metavar="FILE", help=f"{help} `-`: standard output.")


force = click.option(
    "--force",
    is_flag=True,
    callback=store,
    expose_value=False,
    help="Overwrite a file of another kind.",
)


def put(path: Path, content: bytes | str, what: str = "") -> None:
    """Write `content` to `path`, as `outfile.write` does, and tell `what` it is; `UsageError` when stdout is taken."""
    common = settings()
    if outfile.is_stdout(path):
        if common.json or common.stdout_taken:
            other = "--json" if common.json else "another output"
            raise UsageError(f"{other} and {path} both want standard output", "Give one of them a file.")
        common.stdout_taken = True
    outfile.write(path, content, common.force)
    if what:
        note(f"{what} written to {outfile.shown(path)}")
