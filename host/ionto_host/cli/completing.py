"""What a shell completes: the names of presets, of pulled logs and of dose files. An error completes nothing."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ionto_host.errors import IontoError


def presets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the presets that begin so."""
    from ionto_host import library

    try:
        names = [item.id for item in library.load().presets()]
    except (IontoError, OSError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def logs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return "last" and the pulled logs as BOARD/ID, or as ID where that is enough; log files go by the shell."""
    from ionto_host.logs import store

    found = [(path.parent.name, path.name[:6].lstrip("0") or "0") for path in store.stored()]
    names = ["last", *(f"{board}/{log_id}" for board, log_id in found)]
    names += [log_id for _, log_id in found if sum(other == log_id for _, other in found) == 1]
    ids = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return ids + _files(incomplete, ".ilog")


def doses(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the dose files and folders that begin so."""
    return _files(incomplete, ".toml")


def _files(incomplete: str, suffix: str) -> list[CompletionItem]:
    folder, slash, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(folder + slash or ".").iterdir())
    except OSError:
        return []
    names = [f"{item.name}/" if item.is_dir() else item.name for item in entries]
    fitting = [name for name in names if name.startswith(start) and name.endswith((suffix, "/"))]
    return [CompletionItem(folder + slash + name) for name in fitting if start or not name.startswith(".")]
