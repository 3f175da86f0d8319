"""Which mutants are tried: a seeded sample of places, one mutant of each, or all of them.

A binary operator has eleven mutants and a deleted statement one, so the sample is of places. Its order is that of
digests of what each mutant is: a change of one line moves its own mutants in and out of the sample and no other's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from verification.mutants.mutant import Mutant

Check = Callable[[Mutant], bool]


def drawn(mutants: Iterable[Mutant], size: int | None, seed: int, is_program: Check) -> Iterator[Mutant]:
    """Yield `size` mutants for `seed`, each at another place; None: every one. All of them pass `is_program`."""
    count = 0
    for place in _places(mutants, seed):
        valid = (mutant for mutant in place if is_program(mutant))
        for mutant in valid if size is None else _first(valid):
            yield mutant
            count += 1
        if count == size:
            return


def _first(mutants: Iterator[Mutant]) -> Iterator[Mutant]:
    for mutant in mutants:
        yield mutant
        return


def _places(mutants: Iterable[Mutant], seed: int) -> list[list[Mutant]]:
    """Return the mutants by place, places and the mutants of each in the order of `seed`."""
    places: dict[tuple[str, int, int], list[Mutant]] = {}
    for mutant in mutants:
        places.setdefault((mutant.key.file, mutant.start, mutant.end), []).append(mutant)
    by_rank = [sorted(place, key=lambda mutant: mutant.key.digest(seed)) for place in places.values()]
    return sorted(by_rank, key=lambda place: _rank(place, seed))


def _rank(place: list[Mutant], seed: int) -> str:
    """Return one digest for a place, however many mutants it has."""
    return hashlib.sha256("\0".join([str(seed), *sorted(each.key.digest(0) for each in place)]).encode()).hexdigest()
