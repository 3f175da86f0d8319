"""Session logs from Python.

>>> from ionto_host import logs
>>> session = logs.read("tests/golden/format_3.ilog")
>>> session.outcome, session.verified
('complete', True)
>>> session.dose["current_ua"]
2000
>>> samples = logs.array(session)
>>> samples.dtype.names[:3]
('t_ms', 'charge_uc', 'setpoint_ua')
>>> holding = samples[samples["state"] == 4]
>>> abs(int(holding["current_mean_ua"].mean()) - 2000) < 20
True
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionto import sessionlog_format as layout
from ionto_host.logs import sessionfile
from ionto_host.logs.records import Damage, Sample
from ionto_host.logs.sessionfile import Event, Session, decode, delivered, summary

if TYPE_CHECKING:
    import numpy

__all__ = ("Damage", "Event", "Sample", "Session", "array", "decode", "delivered", "events_array", "read", "summary")


def read(path: str | Path) -> Session:
    """Return the session in the log file `path`: typed records, and what is damaged in `Session.damage`.

    Raises `ionto_host.errors.NotALogError` for a file that is no log, OSError for one that cannot be read.
    """
    return sessionfile.read(Path(path))


def array(session: Session) -> numpy.ndarray[Any, Any]:
    """Return the samples as a structured array of shape (n,): the fields and units of `Sample`, each an int64.

    The file's own 16 bits would overflow in the first multiplication.
    """
    return _structured(session.samples, layout.SAMPLE_FIELDS)


def events_array(session: Session) -> numpy.ndarray[Any, Any]:
    """Return the events as a structured array of shape (n,): the fields of `Event`, each an int64."""
    return _structured(session.events, layout.EVENT_FIELDS)


def _structured(rows: list[Any], fields: tuple[tuple[str, str], ...]) -> numpy.ndarray[Any, Any]:
    import numpy

    return numpy.array(rows, dtype=[(name, numpy.int64) for name, _ in fields])
