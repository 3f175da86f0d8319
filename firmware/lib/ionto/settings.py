"""The settable limits and the configured variant, on flash with a CRC-32. They only narrow the compiled limits.

The file is one line of JSON and one of its CRC-32 in hexadecimal; it is replaced as a whole or not at all. Without
a file the compiled limits hold, and the range strap says which variant the board is from now on. A damaged file counts
as the lowest limits, until somebody with a hand on the board sets them again.
"""

from ionto import faults
from ionto.compat import const
from ionto.faults import Refusal
from ionto.files import read_checked, write_checked
from ionto.limits import Limits
from ionto.plan import Dose

PATH = "/settings.json"
# A settable limit, which is the highest value that is accepted, and the compiled limit that it cannot go below.
FIELDS = (("max_current_ua", "min_current_ua"), ("max_dose_uc", "min_dose_uc"), ("max_density_ua_cm2", ""))
_LOWEST_DENSITY_UA_CM2 = 1
_MAX_UNLOGGED = const(32)


class Settings:
    """The settable limits of a board with the compiled `limits`.

    `values` {field: integer in the field's unit}; `variant` the build this board is configured as; `changes` counts
    the times they were set; `kept` is True when there is a file, `damaged` when it cannot be trusted.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self.values = {name: self._range(name)[1] for name, _ in FIELDS}
        self.variant = limits.variant
        self.changes = 0
        self.kept = self.damaged = False
        self.unlogged = []  # (place in FIELDS, old value, new value) since the last session
        self._load()

    def _range(self, name: str) -> tuple:
        """Return the lowest and the highest value that limit `name` can be set to."""
        low = dict(FIELDS)[name]
        return getattr(self._limits, low) if low else _LOWEST_DENSITY_UA_CM2, getattr(self._limits, name)

    def _load(self) -> None:
        try:
            kept = read_checked(PATH)
        except OSError:
            return
        self.kept = True
        try:
            values = {name: kept["limits"][name] for name, _ in FIELDS}
            self.damaged = not all(low <= values[name] <= high for name, low, high in self._ranges())
            self.variant, self.changes = kept["variant"], kept["changes"]
        except (KeyError, TypeError):
            self.damaged = True
        self.values = {name: low for name, low, _ in self._ranges()} if self.damaged else values

    def _ranges(self) -> list:
        """Return rows of name, lowest and highest value."""
        rows = []
        for name, _ in FIELDS:
            low, high = self._range(name)
            rows.append((name, low, high))
        return rows

    def store(self) -> None:
        """Write the file. Raises OSError when flash refuses."""
        kept = {"variant": self._limits.variant, "changes": self.changes, "limits": self.values}
        write_checked(PATH, kept)

    def public(self) -> dict:
        """Return what HELLO and the log's header say."""
        told = dict(self.values)
        told["changes"] = self.changes
        told["damaged"] = self.damaged
        return told

    def admit(self, dose: Dose) -> None:
        """Raise `Refusal` when `dose`, which is inside the compiled limits, is outside the settable ones."""
        asked = {"current_ua": dose.current_ua, "dose_uc": dose.dose_uc, "density_ua_cm2": dose.density_ua_cm2()}
        for name, low, _ in self._ranges():
            field = name[len("max_") :]
            if asked[field] > self.values[name]:
                raise Refusal(faults.LIMITS_EXCEEDED, field, asked[field], low, self.values[name])

    def change(self, wanted: dict, hand: bool) -> None:
        """Set the limits in `wanted` and store them; `hand`: a person is at the board, who alone may raise one.

        Raises `Refusal` naming the field, OSError when flash refuses; then nothing has changed.
        """
        ranges = {name: (low, high) for name, low, high in self._ranges()}
        for name, value in wanted.items():
            if name not in ranges:
                raise Refusal(faults.UNKNOWN_FIELD, str(name)[:40])
            if not isinstance(value, int) or isinstance(value, bool):
                raise Refusal(faults.WRONG_TYPE, name, str(value)[:40])
            low, high = ranges[name]
            if not low <= value <= high:
                raise Refusal(faults.OUT_OF_RANGE, name, value, low, high)
            if value > self.values[name] and not hand:
                raise Refusal(faults.NEEDS_HAND, name, value, low, self.values[name])
        self._take(wanted)

    def _take(self, wanted: dict) -> None:
        before = self.values
        self.values = dict(before)
        self.values.update(wanted)
        self.changes += 1
        try:
            self.store()
        except OSError:
            self.values = before
            self.changes -= 1
            raise
        self.damaged = False
        for place, (name, _) in enumerate(FIELDS):
            if self.values[name] != before[name]:
                self._note(place, before[name], self.values[name])

    def _note(self, place: int, old: int, new: int) -> None:
        """Keep the change for the next session's log; after `_MAX_UNLOGGED`, as one with the last of that limit."""
        rows = self.unlogged
        at = len(rows) - 1
        while len(rows) >= _MAX_UNLOGGED and at >= 0:
            if rows[at][0] == place:
                rows[at] = (place, rows[at][1], new)
                return
            at -= 1
        rows.append((place, old, new))
