"""What a board printed, in the words of the sources: the file, line and function of a traceback, and attributes.

The map is that of the firmware of this tool. A board with another one is told by its own tool.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right

from ionto_host.board.firmware_files import installed, merged
from ionto_host.board.merging import FILE_NAME, Map

_PLACE = re.compile(rf'File "{re.escape(FILE_NAME)}", line (\d+), in (\S+)')
_ATTRIBUTE = re.compile(r"(no attribute ')(\w+)(')")
_NAME = re.compile(r"(name ')(\w+)(' isn't defined)")


def readable(text: str) -> str:
    """Return `text` with its tracebacks as the sources have it; without one it is unchanged."""
    if FILE_NAME not in text:
        return text
    return translated(text, _map())


@functools.cache
def _map() -> Map:
    return merged(installed()).map


def translated(text: str, names: Map) -> str:
    """Return `text` with the places and names of the merged module as `names` has them."""
    text = _PLACE.sub(lambda found: _place(int(found[1]), found[2], names), text)
    text = _ATTRIBUTE.sub(lambda found: found[1] + names.attributes.get(found[2], found[2]) + found[3], text)
    return _NAME.sub(lambda found: found[1] + names.globals.get(found[2], found[2]) + found[3], text)


def _place(line: int, word: str, names: Map) -> str:
    firsts = [first for first, _ in names.files]
    first, file = names.files[max(0, bisect_right(firsts, line) - 1)]
    inside = [function for function in names.functions if function.first <= line <= function.last]
    name = inside[-1].name if inside and not word.startswith("<") else word
    return f'File "{file}", line {line - first + 1}, in {name}'
