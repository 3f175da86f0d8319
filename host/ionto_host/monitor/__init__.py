"""A session as it runs: looks at the device, what changed between them, and a live plot."""

from ionto_host.monitor.watching import Gap, watch

__all__ = ["Gap", "watch"]
