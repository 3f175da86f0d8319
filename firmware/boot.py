"""Every boot begins with the output off. Short, because the board compiles this file itself: see ionto.start."""

import ionto_pack

ionto_pack.mount()

from ionto import start  # noqa: E402 - there is no such package before the mount

BOOT = start.boot()
