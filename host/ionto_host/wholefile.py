"""Files that appear whole or not at all, also when the disk is full or the program is killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the name `path` when the block ends without an error.

    After an error it is removed, and what stood at `path` before is as it was.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # of this writer alone
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, content: bytes | str) -> None:
    """Write `content`, text as UTF-8, to the file `path`; OSError when the disk refuses, the old file is kept then."""
    with whole(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
