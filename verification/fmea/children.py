"""Work in forked copies of a process that stands at a moment: each copy goes on with another fault, the original waits.

A copy answers with JSON lines through a pipe. One that dies, or hangs, is told as such; nothing is lost with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

HANGS_S = 120.0
_CHUNK = 1 << 16
_DIED = "died"  # the one key of what a copy says that has failed
Item = TypeVar("Item")
Emit = Callable[[dict[str, Any]], None]


@dataclass
class _Child:
    pid: int
    pipe: int
    item: Any
    began: float
    text: bytes = b""
    answers: int = 0


@dataclass(frozen=True)
class Answer:
    """One line of a copy that works on `item`; or, with `error`, why there will be no more."""

    item: Any
    content: dict[str, Any]
    error: str = ""


def each(
    items: Sequence[Item], work: Callable[[Item, Emit], None], jobs: int, hangs_s: float | None = HANGS_S
) -> Iterator[Answer]:
    """Yield what `work(item, emit)` emits in a copy of this process for each item, `jobs` copies at a time.

    A copy that takes longer than `hangs_s` is ended.
    """
    waiting = list(reversed(items))
    running: dict[int, _Child] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                child = _fork(waiting.pop(), work)
                running[child.pipe] = child
            ready, _, _ = select.select(list(running), [], [], 1.0)
            for pipe in ready:
                yield from _take(running, pipe)
            for child in running.values():
                if hangs_s is not None and time.monotonic() - child.began > hangs_s:
                    os.kill(child.pid, signal.SIGKILL)
    finally:
        for child in running.values():
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            os.close(child.pipe)


def _fork(item: Any, work: Callable[[Any, Emit], None]) -> _Child:
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        return _Child(pid, out, item, time.monotonic())
    os.close(out)
    code = 1
    try:
        work(item, lambda content: _write(into, content))
        code = 0
    except Exception as error:  # told to the original, where it fails the row
        _write(into, {_DIED: f"{type(error).__name__}: {error}"})
        code = 0
    finally:
        os._exit(code)  # no clean-up of what belongs to the original


def _write(pipe: int, content: dict[str, Any]) -> None:
    left = json.dumps(content).encode() + b"\n"
    while left:
        left = left[os.write(pipe, left) :]


def _take(running: dict[int, _Child], pipe: int) -> Iterator[Answer]:
    child = running[pipe]
    data = os.read(pipe, _CHUNK)
    *lines, child.text = (child.text + data).split(b"\n")
    for line in lines:
        content = json.loads(line)
        child.answers += 1
        yield Answer(child.item, content, content.get(_DIED, ""))
    if not data:
        del running[pipe]
        os.close(pipe)
        _, status = os.waitpid(child.pid, 0)
        if status:
            word = f"signal {status & 0x7F}" if status & 0x7F else f"exit code {status >> 8}"
            yield Answer(child.item, {}, f"the simulation ended with {word}")
