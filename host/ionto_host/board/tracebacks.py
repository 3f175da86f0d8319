"""What a board printed, in the words of the sources: the file, line and function of a traceback, and attributes.

The map is that of the firmware of this tool. A board with another one is told by its own tool.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Mapping

from ionto_host.board.firmware_files import installed, merged
from ionto_host.board.merging import Map

_PLACE = re.compile(r'File "(ionto\w*\.py)", line (\d+), in (\S+)')
_ATTRIBUTE = re.compile(r"(no attribute ')(\w+)(')")
_NAME = re.compile(r"(name ')(\w+)(' isn't defined)")


def readable(text: str) -> str:
    """Return `text` with its tracebacks as the sources have it; without one it is unchanged."""
    if not _PLACE.search(text):
        return text
    return translated(text, *_maps())


@functools.cache
def _maps() -> tuple[Map, ...]:
    return merged(installed()).maps()


def translated(text: str, *maps: Map) -> str:
    """Return `text` with places and names as the `maps` of the merged modules have them; names are the same in all."""
    named = {names.name: names for names in maps}
    text = _PLACE.sub(lambda found: _place(found, named), text)
    names = maps[0]
    text = _ATTRIBUTE.sub(lambda found: found[1] + names.attributes.get(found[2], found[2]) + found[3], text)
    return _NAME.sub(lambda found: found[1] + names.globals.get(found[2], found[2]) + found[3], text)


def _place(found: re.Match[str], maps: Mapping[str, Map]) -> str:
    if found[1] not in maps:
        return found[0]
    names, line, word = maps[found[1]], int(found[2]), found[3]
    firsts = [first for first, _ in names.files]
    first, file = names.files[max(0, bisect_right(firsts, line) - 1)]
    inside = [function for function in names.functions if function.first <= line <= function.last]
    name = inside[-1].name if inside and not word.startswith("<") else word
    return f'File "{file}", line {line - first + 1}, in {name}'
