"""Copies of the tree outside the checkout, and in each a guest that runs tests there. The checkout is only read."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from verification.mutants.mutant import Mutant

_LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "site", "__pycache__", "*.egg-info", "node_modules")
_PATHS = ("firmware/lib", "host", ".")
# The guest's file is the checkout's; what it imports besides is the copy's.
_GUEST = f"import runpy; runpy.run_path({str(Path(__file__).with_name('guest.py'))!r}, run_name='__main__')"

Task = TypeVar("Task")


class GuestError(Exception):
    """A guest has ended or failed: this is no answer about a mutant."""


class Copy:
    """One copy of the tree with its guest. One job at a time."""

    def __init__(self, root: Path, folder: Path):
        self.root = folder / "tree"
        shutil.copytree(root, self.root, ignore=_LEFT_OUT, symlinks=True)
        paths = os.pathsep.join(str(self.root / path) for path in _PATHS)
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
        environment.pop("PYTEST_ADDOPTS", None)
        self._guest = subprocess.Popen(
            [sys.executable, "-c", _GUEST, str(folder / "answer.json")],
            cwd=self.root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Let the guest do `job`; GuestError when it cannot."""
        assert self._guest.stdin and self._guest.stdout
        try:
            self._guest.stdin.write(json.dumps(job) + "\n")
            self._guest.stdin.flush()
            line = self._guest.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise GuestError("the process that runs the tests has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise GuestError(answer["error"])
        return answer

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """Have the change in this copy, with no compiled file that says otherwise; afterwards the copy is as it was."""
        path = self.root / mutant.key.file
        kept, status = path.read_text(encoding="utf-8"), path.stat()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()
        path.write_text(mutant.apply(kept), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(kept, encoding="utf-8")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
                compiled.unlink()

    def close(self) -> None:
        """End the guest."""
        assert self._guest.stdin
        self._guest.stdin.close()
        try:
            self._guest.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._guest.kill()
            self._guest.wait()


class Workshop:
    """`workers` copies; `run` shares tasks among them."""

    def __init__(self, copies: list[Copy]):
        self._copies = copies

    def run(self, tasks: Iterable[Task], work: Callable[[Copy, Task], Any]) -> Iterator[tuple[Task, Any]]:
        """Yield (task, work(copy, task)) as they are done. What `work` raises is raised here, and the rest is left."""
        waiting: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Task, Any]] = queue.SimpleQueue()
        count = 0
        for count, task in enumerate(tasks, 1):  # noqa: B007 - the count is used after the loop
            waiting.put(task)

        def serve(copied: Copy) -> None:
            while (task := _next(waiting)) is not None:
                try:
                    done.put((task, work(copied, task)))
                except BaseException as error:
                    done.put((task, error))

        for copied in self._copies:
            threading.Thread(target=serve, args=(copied,), daemon=True).start()
        try:
            for _ in range(count):
                task, result = done.get()
                if isinstance(result, BaseException):
                    raise result
                yield task, result
        finally:
            while _next(waiting) is not None:
                pass


def _next(waiting: queue.SimpleQueue[Any]) -> Any:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


@contextmanager
def workshop(root: Path, workers: int) -> Iterator[Workshop]:
    """Yield a workshop of the tree at `root`; its copies are gone afterwards."""
    with ExitStack() as stack:
        copies = []
        for _ in range(workers):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ionto-mutants-")))
            copies.append(Copy(root, folder))
            stack.callback(copies[-1].close)
        yield Workshop(copies)
