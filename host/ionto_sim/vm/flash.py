"""The 1408 KiB of flash that hold the file system, as a file; erase and program stop the CPU as on the chip."""

from .core import CLOCK

BLOCK = 4096
BLOCKS = 352
_PAGE = 256
_ERASE_US = 45_000
_PROGRAM_US = 400
_EIO = 5
_ENOSPC = 28
_ERASED = b"\xff" * BLOCK


class Flash:
    """Block device over the image `file`, as rp2.Flash."""

    def __init__(self, file: object) -> None:
        self._file = file

    def readblocks(self, number, buffer, offset=0):
        """Read into `buffer`."""
        self._file.seek(number * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=None):
        """Program `buffer`; without `offset` the block is erased first."""
        if offset is None:
            for block in range(number, number + len(buffer) // BLOCK):
                self._erase(block)
            offset = 0
        at = number * BLOCK + offset
        view = memoryview(buffer)
        for start in range(0, len(buffer), _PAGE):
            self._operate(at + start, view[start : start + _PAGE], _PROGRAM_US)

    def _erase(self, number):
        if "flash_full" in CLOCK.board.faults:
            raise OSError(_ENOSPC)
        self._operate(number * BLOCK, _ERASED, _ERASE_US)

    def _operate(self, at, data, cost_us):
        """One erase or program of a page; power may fail in its middle, and the watchdog may fire."""
        board = CLOCK.board
        if "flash_fails" in board.faults:
            raise OSError(_EIO)
        board.flash_operations += 1
        cut = board.flash_operations == board.cut_at_operation
        if cut or CLOCK.now_us + cost_us >= CLOCK.watchdog_us:
            self._write(at, memoryview(data)[: len(data) // 2])
        if cut:
            CLOCK.now_us += cost_us // 2
            board.cut()
        if CLOCK.now_us + cost_us >= CLOCK.watchdog_us:
            CLOCK.now_us = CLOCK.watchdog_us
            board.watchdog_reset(CLOCK.watchdog_us)
        self._write(at, data)
        CLOCK.stall(cost_us)

    def _write(self, at, data):
        self._file.seek(at)
        self._file.write(data)

    def ioctl(self, command, argument):
        """Block device control: sizes and erase."""
        if command == 4:
            return BLOCKS
        if command == 5:
            return BLOCK
        if command == 6:
            self._erase(argument)
        return 0
