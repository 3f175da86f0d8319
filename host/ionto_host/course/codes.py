"""Subject codes and course ids. A code stands for a person and never says who it is."""

from __future__ import annotations

import re

from ionto_host.errors import UsageError
from ionto_host.units import printable

PATTERN = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")
MIN_LENGTH, MAX_LENGTH = 2, 16
MAX_LETTERS = 3  # in a row: most names are longer
RULE = (
    f"a subject code has {MIN_LENGTH} to {MAX_LENGTH} of A-Z, 0-9 and single hyphens, at least one digit, and at most "
    f"{MAX_LETTERS} letters in a row, so that longer names do not fit"
)
_LETTERS = re.compile(rf"[A-Z]{{{MAX_LETTERS + 1},}}")
_COURSE = re.compile(r"(?P<subject>[^/]+)/(?P<number>[1-9][0-9]{0,3})")


def subject(text: str) -> str:
    """Return the subject code `text` as it is; `UsageError` for what is none or looks like a name."""
    fits = MIN_LENGTH <= len(text) <= MAX_LENGTH and PATTERN.fullmatch(text)
    if fits and any(char.isdigit() for char in text) and not _LETTERS.search(text):
        return text
    looks = " and looks like a name" if re.search(r"[^\W\d_]{3,}", text) else ""
    raise UsageError(
        f"{printable(text)!r} is no subject code{looks}: {RULE}",
        "Choose a code such as P-014, and keep who it is on paper, not here.",
        field="subject",
    )


def split(text: str) -> tuple[str, int | None]:
    """Return subject and number of the course id `text`: "P-014/2", or "P-014" with number None."""
    match = _COURSE.fullmatch(text)
    if match:
        return subject(match["subject"]), int(match["number"])
    return subject(text), None
