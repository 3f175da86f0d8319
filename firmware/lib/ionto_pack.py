"""The firmware's modules in one file, mounted read-only on /ionto, so that a boot looks up one name and not a hundred.

Each import asks the file system four times, and littlefs reads and checks the whole directory every time: 8 ms a
module on the RP2040. File: magic, length and CRC-32 of the table, the table (for each module the length of its name,
offset in the file, size and CRC-32; then the name), modules. Each is read once, and checked before it is used. Written
by `ionto_host.board.packing`.
"""

import binascii
import io
import struct
import sys

MAGIC = b"IPK2"
HEADER_FORMAT = "<4sII"
ENTRY_FORMAT = "<BIII"
PACK_PATH = "/lib/ionto/modules.pack"
MOUNT_POINT = "/ionto"
BUFFER_BYTES = 28_800  # no module is larger; it becomes the log's samples: a boot has no room for both
USUAL_PATH = ["", ".frozen", "/lib"]  # MicroPython's sys.path
NARROW_PATH = [".frozen"]
_DAMAGED = PACK_PATH + " is damaged: flash the board again"
_IS_FOLDER = (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_NO_SUCH_FILE = 2

mounted = []  # the pack, once it is

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class Pack:
    """A read-only file system of one folder; `stream` is an open pack. ValueError when it, or a module, is damaged."""

    def __init__(self, stream: "BinaryIO"):
        self._stream = stream
        header = stream.read(struct.calcsize(HEADER_FORMAT))
        if len(header) != struct.calcsize(HEADER_FORMAT):
            raise ValueError(_DAMAGED)
        magic, length, checksum = struct.unpack(HEADER_FORMAT, header)
        if magic != MAGIC:
            raise ValueError(_DAMAGED)
        self._entries = {}
        table = self._checked(length, checksum)
        at = 0
        while at < length:
            name, offset, size, checksum = struct.unpack_from(ENTRY_FORMAT, table, at)
            at += struct.calcsize(ENTRY_FORMAT) + name
            self._entries["/" + table[at - name : at].decode()] = (offset, size, checksum)
        self._buffer = bytearray(BUFFER_BYTES)

    def _checked(self, size: int, checksum: int) -> bytes:
        """Return the next `size` bytes of the file, whose CRC-32 is `checksum`."""
        data = self._stream.read(size)
        if len(data) != size or binascii.crc32(data) != checksum:
            raise ValueError(_DAMAGED)
        return data

    def _find(self, path: str) -> tuple:
        try:
            return self._entries[path if path[:1] == "/" else "/" + path]
        except KeyError:
            raise OSError(_NO_SUCH_FILE)

    # What MicroPython asks of a file system.

    def mount(self, readonly: bool, mkfs: bool) -> None:
        """Nothing to do: the pack is open."""

    def umount(self) -> None:
        """Close the pack."""
        self._stream.close()

    def stat(self, path: str) -> tuple:
        """Return what `os.stat` does; OSError for a name that is not there."""
        if path in ("", "/"):
            return _IS_FOLDER
        return 0x8000, 0, 0, 0, 0, 0, self._find(path)[1], 0, 0, 0

    def open(self, path: str, mode: str) -> io.BytesIO:
        """Return the module's bytes as a stream.

        They are read into one buffer, and the stream frees its copy when it is closed: a new buffer for each would fill
        the heap with garbage, and a collection in the middle of a boot takes 27 ms.
        """
        offset, size, checksum = self._find(path)
        self._stream.seek(offset)
        buffer = self._buffer if size <= len(self._buffer) else bytearray(size)
        view = memoryview(buffer)[:size]
        if self._stream.readinto(view) != size or binascii.crc32(view) != checksum:
            raise ValueError(_DAMAGED)
        return io.BytesIO(view)  # pyright: ignore[reportCallIssue, reportArgumentType] - any buffer will do

    def take_buffer(self) -> bytearray:
        """Return the buffer for another use: the imports are over. A later one makes its own."""
        buffer = self._buffer
        self._buffer = bytearray()
        return buffer

    def ilistdir(self, path: str):
        """Return an iterator of what `os.ilistdir` gives."""
        return iter([(name[1:], 0x8000, 0, self._entries[name][1]) for name in sorted(self._entries)])


def mount() -> None:
    """Mount the pack on /ionto. Without one the package lies open in /lib/ionto, and nothing is done."""
    try:
        stream = open(PACK_PATH, "rb")  # noqa: SIM115 - the mounted pack reads from it ever after
    except OSError:
        return
    import vfs

    pack = Pack(stream)
    mounted.append(pack)
    vfs.mount(pack, MOUNT_POINT)
    __import__(MOUNT_POINT[1:])
    narrow()


def take_buffer() -> "bytearray | None":
    """Return the buffer that the imports needed, now that they are over; None without a pack."""
    return mounted[0].take_buffer() if mounted else None


def narrow() -> None:
    """Look for modules in the package and in MicroPython only, once the package is imported.

    Every import of a built-in module, a repeated one too, first looks for a file of its name: nine times on flash.
    """
    if sys.path == USUAL_PATH:
        sys.path[:] = NARROW_PATH


def widen() -> None:
    """Look for modules everywhere again, for who works at the REPL."""
    if sys.path == NARROW_PATH:
        sys.path[:] = USUAL_PATH
