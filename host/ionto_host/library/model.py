"""What the library holds, typed. Figures are Decimals in the unit that their name or `unit` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ionto_host.errors import UsageError
from ionto_host.units import plain

CEILING, USUAL, CONTEXT = "ceiling", "usual", "context"
KINDS = (CEILING, USUAL, CONTEXT)
ALTERNATE, VERIFY = "alternate", "verify"
POLES = ("+", "-", ALTERNATE, VERIFY)
ALL, DRUG_ONLY = "all", "drug"
APPLIES = (ALL, DRUG_ONLY)
WATER = "tap-water"
STOP_SEVERITY = 3  # no further session until a person has looked
LOWER_SEVERITY = 2  # the next session is lowered

# figure of a regime: its unit
QUANTITIES = {
    "current_ma": "mA",
    "dose_ma_min": "mA*min",
    "density_ma_cm2": "mA/cm2",
    "minutes": "min",
    "ramp_s": "s",
    "sessions": "sessions",
    "interval_days": "days",
}


@dataclass(frozen=True)
class Source:
    """A document, a device or a rule that figures come from."""

    id: str
    title: str
    remark: str = ""


@dataclass(frozen=True)
class Figure:
    """A number or a range with its sources; without either, `note` says why there is none."""

    low: Decimal | None
    high: Decimal | None
    unit: str
    source: tuple[str, ...]
    kind: str = USUAL
    note: str = ""
    careful: bool = False

    def words(self) -> str:
        """Return the figure for a person: "4 to 5 %", "at most 2 mA", or its note."""
        if self.high is None:
            return self.note
        if self.low is None:
            text = f"at most {plain(self.high)}"
        else:
            text = plain(self.low) if self.low == self.high else f"{plain(self.low)} to {plain(self.high)}"
        return f"{text} {self.unit}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class Drug:
    """A drug: its pole ("+", "-", "alternate" or "verify"), strengths, and the regime that holds for it."""

    id: str
    name: str
    short: str
    aliases: tuple[str, ...]
    kind: str
    pole: str
    regime: str
    strength: tuple[Figure, ...]
    source: tuple[str, ...]


@dataclass(frozen=True)
class Regime:
    """The figures of a way of treatment: {quantity: figures}, of all sources."""

    id: str
    name: str
    variant: str
    figures: dict[str, tuple[Figure, ...]]

    def ceiling(self, quantity: str) -> Decimal:
        """Return the least upper end that any source gives for `quantity`, in its unit: the careful one."""
        return min(self._highs(quantity))

    def widest(self, quantity: str) -> Decimal:
        """Return the greatest upper end that any source gives for `quantity`, in its unit."""
        return max(self._highs(quantity))

    def start(self, quantity: str) -> Decimal:
        """Return where to begin: the least usual figure of `quantity`, or its careful ceiling without one."""
        lows = [item.low for item in self.figures[quantity] if item.kind == USUAL and item.low is not None]
        return min([*lows, self.ceiling(quantity)])

    def careful(self, quantity: str) -> Figure:
        """Return the figure of `quantity` that is the default; the one with the least upper end if none is marked."""
        figures = [item for item in self.figures[quantity] if item.kind != CONTEXT and item.high is not None]
        marked = [item for item in figures if item.careful]
        return (marked or sorted(figures, key=lambda item: item.high or Decimal(0)))[0]

    def _highs(self, quantity: str) -> list[Decimal]:
        figures = self.figures[quantity]
        return [item.high for item in figures if item.kind != CONTEXT and item.high is not None]


@dataclass(frozen=True)
class Condition:
    """A condition, the drugs named for it (ids, the default first), and where the electrode goes."""

    id: str
    name: str
    site: str
    drugs: tuple[str, ...]
    source: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A contraindication: a yes refuses the dose with `reason`. `ask` may hold {drug}.

    With `conditions` or `drugs` it is asked only for those; `details` says more to those that it names.
    """

    id: str
    ask: str
    reason: str
    applies: str
    source: tuple[str, ...]
    conditions: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reaction:
    """What a session may cause; `severity` 0 none, 1 passing, 2 lower the next, 3 stop until looked at."""

    id: str
    name: str
    severity: int
    source: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A figure by which a dose is fitted to a person."""

    id: str
    value: Decimal
    unit: str
    why: str
    source: tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """A condition with one of its drugs, and the figures that hold for them. Its id is `condition/drug`."""

    condition: Condition
    drug: Drug
    regime: Regime

    @property
    def id(self) -> str:
        """The name that `--preset` takes."""
        return f"{self.condition.id}/{self.drug.id}"

    @property
    def reversal(self) -> str:
        """The reversal of its doses, as in a dose file."""
        return "half" if self.drug.pole == ALTERNATE else "none"


@dataclass(frozen=True)
class Library:
    """All entries by id: the built-in ones and those of a site's own folder."""

    sources: dict[str, Source]
    drugs: dict[str, Drug]
    regimes: dict[str, Regime]
    conditions: dict[str, Condition]
    questions: dict[str, Question]
    reactions: dict[str, Reaction]
    rules: dict[str, Rule]

    def presets(self) -> list[Preset]:
        """Return every condition with every drug named for it."""
        return [self._preset(item, drug) for item in self.conditions.values() for drug in item.drugs]

    def preset(self, name: str) -> Preset:
        """Return the preset `name`: `condition/drug`, or `condition` for its first drug; `UsageError` for neither."""
        condition_id, _, drug_id = name.partition("/")
        condition = self.conditions.get(condition_id)
        if condition is None:
            known = ", ".join(self.conditions)
            raise UsageError(f"no preset {name!r}; conditions: {known}", "`ionto presets list` shows all presets.")
        drug_id = drug_id or condition.drugs[0]
        if drug_id not in condition.drugs:
            known = ", ".join(condition.drugs)
            raise UsageError(f"{condition_id} has no preset with {drug_id!r}; drugs named for it: {known}")
        return self._preset(condition, drug_id)

    def _preset(self, condition: Condition, drug_id: str) -> Preset:
        drug = self.drugs[drug_id]
        return Preset(condition, drug, self.regimes[drug.regime])

    def cite(self, ids: tuple[str, ...]) -> str:
        """Return the titles of the sources `ids` in one line."""
        return "; ".join(self.sources[item].title for item in ids)
