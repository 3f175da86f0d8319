"""The public path of `ionto_host.monitor.history` (docs/api.md)."""

from ionto_host.monitor.history import History, event_line

__all__ = ["History", "event_line"]
