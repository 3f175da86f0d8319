"""The public path of `ionto_host.device.hand` (docs/api.md)."""

from ionto_host.device.hand import PRESS, with_hand

__all__ = ["PRESS", "with_hand"]
