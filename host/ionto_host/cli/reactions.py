"""The reactions of a session: proposed by the comfort reports in its log, decided by a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from ionto_host.cli.common import can_ask, note
from ionto_host.course import overview
from ionto_host.errors import UsageError
from ionto_host.library.model import Library
from ionto_host.units import printable


def known_reactions(given: tuple[str, ...], lib: Library) -> tuple[str, ...]:
    """Return the reactions as ids, each once; `UsageError` for an unknown one, or "none" beside others."""
    known = ", ".join(lib.reactions)
    unknown = [item for item in given if item not in lib.reactions]
    if unknown:
        raise UsageError(f"unknown reaction {printable(unknown[0])!r}", f"Known: {known}.")
    if overview.NONE in given and len(set(given)) > 1:
        raise UsageError(f"{overview.NONE} and another reaction exclude each other", "Leave one out.")
    return tuple(name for name in lib.reactions if name in given)


@dataclass(frozen=True)
class Decision:
    """The reactions that a person gave, and whether those that the log proposes are taken."""

    lib: Library
    given: tuple[str, ...]
    accept: bool

    def on(self, facts: dict[str, Any]) -> tuple[str, ...]:
        """Return the reactions of a session with `facts`, asked for at the terminal; `UsageError` when nobody says."""
        proposed = [name for name in overview.reported(facts) if name in self.lib.reactions]
        for text in overview.comfort_words(facts):
            note(f"In the log: {text}.")
        felt = self.given
        if self.accept:
            felt = known_reactions((*felt, *proposed), self.lib)
        if not felt and can_ask():
            felt = self._asked(proposed)
        if not felt:
            raise _nothing_said(proposed, self.lib)
        left_out = [name for name in proposed if name not in felt]
        if left_out:
            names = overview.names(left_out, self.lib)
            note(f"WARNING: reported during the session and not recorded as a reaction: {names}. The report is kept.")
        return felt

    def _asked(self, proposed: list[str]) -> tuple[str, ...]:
        note(f"Reactions: {', '.join(self.lib.reactions)}.")
        text = click.prompt("What was felt or seen", default=" ".join(proposed) or None, err=True)
        return known_reactions(tuple(text.replace(",", " ").split()), self.lib)


def _nothing_said(proposed: list[str], lib: Library) -> UsageError:
    if not proposed:
        return UsageError("no reaction is given", f"Give --reaction with one or more of: {', '.join(lib.reactions)}.")
    options = " ".join(f"--reaction {name}" for name in proposed)
    action = f"Its comfort reports propose {options}: take that with --accept, or decide otherwise."
    return UsageError("no reaction is given", action, proposed=proposed)
