"""How mutants are made: cosmic-ray's operators, and a few of our own.

An operator says how often it can change a node of the parso tree, and changes it. What it gets is a copy.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cosmic_ray.plugins
from parso.python.tree import Decorator, Number
from parso.tree import BaseNode, NodeOrLeaf, search_ancestor

_SMALL = 16  # below it a number counts, shifts or names something, from it on it is a quantity
_EMITTERS = ("@micropython.", "@native", "@viper")
_INSTEAD = ("NumberReplacer", "RemoveDecorator")  # of cosmic-ray's
_SAME = ("_Eq_Is", "_Is_Eq", "_NotEq_IsNot", "_IsNot_NotEq")  # as good as the same for small integers, on both Pythons
_SETS = ("atom_expr", "power")  # what is set when it is no plain name: an element, an attribute


@dataclass(frozen=True)
class Maker:
    """An operator: `count(node)` ways to change a node; `text(node, index)` is what it becomes."""

    name: str
    count: Callable[[NodeOrLeaf], int]
    text: Callable[[NodeOrLeaf, int], str]


def _of_cosmic_ray(name: str, operator: Any) -> Maker:
    def text(node: NodeOrLeaf, index: int) -> str:
        made = operator.mutate(node, index)
        return "" if made is None else made.get_code().lstrip()

    return Maker(name, lambda node: sum(1 for _ in operator.mutation_positions(node)), text)


def _is_small(node: NodeOrLeaf) -> bool:
    return isinstance(node, Number) and _value(node) < _SMALL


def _is_quantity(node: NodeOrLeaf) -> bool:
    return isinstance(node, Number) and _value(node) >= _SMALL


def _value(node: NodeOrLeaf) -> Any:
    return ast.literal_eval(str(node.get_code(include_prefix=False)))


def _is_removable(node: NodeOrLeaf) -> bool:
    return isinstance(node, Decorator) and not node.get_code().strip().startswith(_EMITTERS)


def _does_something(node: NodeOrLeaf) -> bool:
    """Say that `node` is a statement of a function: a call, `+=`, or an element or attribute that is set."""
    parent = node.parent
    if not isinstance(node, BaseNode) or parent is None or parent.type != "simple_stmt":
        return False
    if parent.children[0] is not node or search_ancestor(node, "funcdef") is None:
        return False
    if node.type != "expr_stmt":
        return node.type == "atom_expr"
    return node.children[0].type in _SETS or node.children[1].get_code().strip() not in ("=", ":")


_OWN = (
    # One more of 1,000 is inside any tolerance; a bound of 80 for 20 is not. So only small numbers are changed by one.
    Maker("SmallNumber", lambda node: 2 * _is_small(node), lambda node, index: str(_value(node) + (1, -1)[index])),
    Maker(
        "Quantity",
        lambda node: 2 * _is_quantity(node),
        lambda node, index: str((_value(node) * 2, _value(node) // 2)[index]),
    ),
    # On CPython, where the tests run, MicroPython's emitters do nothing.
    Maker("RemoveDecorator", lambda node: int(_is_removable(node)), lambda node, index: ""),
    # cosmic-ray has none that deletes a statement.
    Maker("DeleteStatement", lambda node: int(_does_something(node)), lambda node, index: "pass"),
)


def _all() -> tuple[Maker, ...]:
    """Return cosmic-ray's operators that want no arguments, and ours."""
    made = []
    for full in cosmic_ray.plugins.operator_names():
        operator, name = cosmic_ray.plugins.get_operator(full), full.rpartition("/")[2]
        if not operator.arguments() and name not in _INSTEAD and not name.endswith(_SAME):
            made.append(_of_cosmic_ray(name, operator()))
    return (*made, *_OWN)


ALL = _all()
