"""The device as the host speaks to it: its commands, what it answers, its words."""

from ionto_host.device.answers import Check, Health, Hello, LogEntry, Status
from ionto_host.device.client import Device

__all__ = ["Check", "Device", "Health", "Hello", "LogEntry", "Status"]
