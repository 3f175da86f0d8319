"""The port a host opens: a PTY behind a stable symlink, with the manners of a USB CDC device.

While no host has it open, output goes nowhere; while the host does not read, only a few kB are taken.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import struct
import termios
import tty
from pathlib import Path

_CHUNK = 4096
_BACKLOG = 2048  # unread bytes at which the host counts as not reading


class Port:
    """`link` is the symlink. `descriptor` is the master, -1 while unplugged."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.descriptor = -1
        self.host_open = False
        self._name = ""
        self._unchecked = 0
        self._stalled = False

    def plug(self) -> None:
        """Make the port appear; nothing to do when it is there."""
        if self.descriptor >= 0:
            return
        self.descriptor, slave = pty.openpty()
        tty.setraw(slave)
        self._name = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self.descriptor, False)
        self._link(self._name)
        self.host_open = False

    def _link(self, target: str) -> None:
        temporary = self.link.with_name(self.link.name + ".new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(self.link)

    def unplug(self) -> None:
        """Make the port vanish, under an open host too."""
        if self.descriptor < 0:
            return
        self.link.unlink(missing_ok=True)
        os.close(self.descriptor)
        self.descriptor = -1
        self.host_open = False

    def forget(self) -> None:
        """Close this end and leave the port itself alone, as a forked process does with that of its parent."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1
        self.host_open = False

    def look(self) -> None:
        """Notice that a host opened the port."""
        if self.descriptor < 0 or self.host_open:
            return
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        if not any(event & select.POLLHUP for _, event in poll.poll(0)):
            self.host_open = True
            self._unchecked = 0
            self._stalled = False

    def hang_up(self) -> None:
        """The host closed the port: forget what it did not read."""
        self.host_open = False
        slave = self._slave()
        if slave >= 0:
            termios.tcflush(slave, termios.TCIFLUSH)
            tty.setraw(slave)
            os.close(slave)

    def _slave(self) -> int:
        """Return the other end, opened for a moment; -1 when a host holds it exclusively."""
        try:
            return os.open(self._name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            return -1

    def read(self) -> bytes:
        """Return bytes from the host, none when there are none."""
        try:
            return os.read(self.descriptor, _CHUNK)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise
            return b""

    def write(self, data: bytes | memoryview) -> int:
        """Pass bytes to the host; return how many it takes now."""
        if self._unchecked >= _CHUNK or self._stalled:
            self._stalled = self._backlog() > _BACKLOG
            if self._stalled:
                return 0
            self._unchecked = 0
        try:
            sent = os.write(self.descriptor, data[:_CHUNK])
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise
            return 0
        self._unchecked += sent
        return sent

    def _backlog(self) -> int:
        """Return how many bytes wait for the host to read them."""
        slave = self._slave()
        if slave < 0:
            return 0
        try:
            return struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, b"\0\0\0\0"))[0]
        finally:
            os.close(slave)
