"""The names of the merged firmware: which word on the board stands for what in the sources.

Two things share a word only where Python cannot mix them up: an attribute and a global, and parameters, which have the
word of their place. No word is taken that the package says itself in that sense, so that nothing of MicroPython is
hidden. Left as they are: attributes that are also texts (`getattr`) or that MicroPython has, classes, local variables,
and what is said from outside. MicroPython calls our objects by `__names__` only; these stay as well.
"""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ionto_host.board.scopes import PACKAGE, Meaning, Package, Scope, Use

_COMPILER = {"ptr8", "ptr16", "ptr32", "uint", "native", "viper", "micropython", "const", "self"}
_LANGUAGE = set(dir(builtins)) | _COMPILER
_MOST_PARAMETERS = 24  # of a function and those around it


class Naming:
    """The words for `package`; `outside` is what its users say, `words` are those of MicroPython, the cheapest first.

    Raises ValueError when there are too few words, and for a name that has to stay and is in the way.
    """

    def __init__(self, package: Package, outside: set[str], words: Sequence[str]) -> None:
        self._objects = package.objects
        self._fixed = outside | package.texts | package.foreign | set(words)
        self._classes = package.classes
        uses = [use for module in package.modules.values() for use in module.uses]
        counted = Counter(self._one(use.meaning) for use in uses)
        self._chosen = {meaning: meaning.name for meaning in counted if self._stays(meaning)}
        self._share_out(counted, {self._one(use.meaning) for use in uses if self._is_said_bare(use)}, words)
        self._check(uses)

    def _share_out(self, counted: Counter[Meaning], bare: set[Meaning], words: Sequence[str]) -> None:
        """Give every meaning a word, those of most uses the cheapest; `bare` are the attributes also said alone."""
        usable = [word for word in words if not keyword.iskeyword(word) and word[:2] != "__"]
        alone = {name for meaning, name in self._chosen.items() if meaning.kind != "attribute"} | _LANGUAGE
        alone |= {self._chosen[meaning] for meaning in bare if meaning in self._chosen}
        attributes = {meaning.name for meaning in counted if meaning.kind == "attribute"} | _COMPILER
        free = iter([word for word in usable if word not in alone])
        self._parameters = list(islice(free, _MOST_PARAMETERS))
        often = sorted(counted, key=lambda meaning: (-counted[meaning], meaning.name, meaning.owner))
        wanting = [meaning for meaning in often if meaning not in self._chosen and meaning.kind != "parameter"]
        twofold = [meaning for meaning in wanting if meaning in bare]
        self._give(twofold, (word for word in free if word not in attributes))
        taken = set(self._chosen.values()) | set(self._parameters)
        self._give([m for m in wanting if m.kind == "global"], (w for w in usable if w not in alone | taken))
        taken = {self._chosen[meaning] for meaning in twofold} | attributes
        self._give(
            [m for m in wanting if m.kind == "attribute" and m not in bare], (w for w in usable if w not in taken)
        )

    def _give(self, meanings: Sequence[Meaning], words: Iterator[str]) -> None:
        chosen = dict(zip(meanings, words, strict=False))
        if len(chosen) < len(meanings):
            raise ValueError("the firmware has more names than words.txt has words")
        self._chosen.update(chosen)

    def _one(self, meaning: Meaning) -> Meaning:
        """Return `meaning`, or the attribute that it is as well: a name of a module that is passed on as an object."""
        if meaning.kind == "global" and meaning.owner in self._objects:
            return Meaning("attribute", meaning.name)
        return meaning

    def _is_said_bare(self, use: Use) -> bool:
        """Return True for an attribute without an object before it: in a class, by a keyword, in its module."""
        one = self._one(use.meaning)
        return one.kind == "attribute" and (one != use.meaning or use.scope.look_up(one.name) == one)

    def _stays(self, meaning: Meaning) -> bool:
        name = meaning.name
        if meaning.kind in ("local", "outside", "module") or name.startswith("__") or name in _COMPILER:
            return True
        if meaning.kind == "attribute":
            return name in self._fixed or name in self._classes
        return meaning.kind == "global" and name in self._classes

    def of(self, meaning: Meaning) -> str:
        """Return the name of `meaning` in the merged module."""
        if meaning.kind == "parameter":
            return self._parameters[int(meaning.owner)]
        return PACKAGE if meaning.kind == "module" else self._chosen[self._one(meaning)]

    def _check(self, uses: Iterable[Use]) -> None:
        """Raise ValueError when a global's name is that of a variable that hides it, or of another global."""
        seen: dict[str, Meaning] = {}
        for use in uses:
            name, kind = self.of(use.meaning), use.meaning.kind
            if kind == "global" and seen.setdefault(name, use.meaning) != use.meaning:
                raise ValueError(f"{use.meaning} and {seen[name]} would both be {name}; rename one")
            if kind in ("global", "outside") and name in self._hiding(use.scope):
                raise ValueError(f"{use.meaning} would be hidden by a variable {name}; rename one")

    def _hiding(self, scope: Scope) -> Iterator[str]:
        """Yield the names that hide globals in `scope`."""
        for around in scope.seen():
            if around.kind != "module":
                inside = (
                    meaning for meaning in around.names.values() if meaning.kind not in ("global", "module", "outside")
                )
                yield from (self.of(meaning) for meaning in inside)

    def attributes(self) -> dict[str, str]:
        """Return {word: name} of the attributes that have another name on the board."""
        return {word: m.name for m, word in self._chosen.items() if m.kind == "attribute" and word != m.name}

    def globals(self) -> dict[str, str]:
        """Return {word: module.name} of the globals that have another name on the board."""
        return {
            word: f"{m.owner}.{m.name}" for m, word in self._chosen.items() if m.kind == "global" and word != m.name
        }
