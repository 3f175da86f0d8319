"""Every boot begins with the output off. Short, because the board compiles this file itself: see ionto.start."""

import ionto_pack

ionto_pack.check()

from ionto import start  # noqa: E402 - nothing damaged is imported

BOOT = start.boot()
