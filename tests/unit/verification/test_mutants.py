"""`make mutants` itself, on a firmware of two functions and one test: what is drawn, what is refused, who is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from verification.mutants import equivalents, sample
from verification.mutants.__main__ import main
from verification.mutants.mutant import Key, Mutant, mutants_of

FILE = "firmware/lib/ionto/adding.py"
SOURCE = '''"""Adds."""


def total(count):
    done = 0
    while count:
        done += count
        count -= 1
    return done


def unused(count):
    return not count
'''
TESTS = """from ionto import adding


def test_a_sum():
    assert [adding.total(count) for count in (0, 1, 3)] == [0, 1, 6]
"""
REASON = "Nobody calls it: it is here to be found."


def drawn(source: str, size: int | None, seed: int) -> list[Key]:
    """Return what a sample of `source` is."""
    return [each.key for each in sample.drawn(mutants_of(source, FILE), size, seed, lambda mutant: True)]


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one = drawn(SOURCE, 4, 1)
    assert len(set(one)) == 4
    assert drawn(SOURCE, 4, 1) == one
    assert drawn(SOURCE, 4, 2) != one


def test_a_change_elsewhere_leaves_the_order_of_a_sample_alone() -> None:
    """Against a sample that is another one after every commit: then no survivor could be followed."""
    more = SOURCE + "\n\ndef other(count):\n    return count - 7\n"
    assert [key for key in drawn(more, None, 1) if key.function != "other"] == drawn(SOURCE, None, 1)


def test_a_sample_has_one_mutant_of_a_place_and_all_has_every_one() -> None:
    mutants = {each.key: each for each in mutants_of(SOURCE, FILE)}
    places = [(mutants[key].start, mutants[key].end) for key in drawn(SOURCE, 1_000, 1)]
    assert len(places) == len(set(places)) < len(mutants)
    assert set(drawn(SOURCE, None, 1)) == set(mutants)


def test_what_is_no_program_is_not_drawn() -> None:
    def refuse(mutant: Mutant) -> bool:
        return mutant.key.mutated != "pass"

    chosen = [each.key.mutated for each in sample.drawn(mutants_of(SOURCE, FILE), None, 1, refuse)]
    assert chosen and "pass" not in chosen


def test_equal_lines_of_a_function_are_told_apart() -> None:
    source = "def f(a):\n    a.b()\n    a.b()\n"
    assert [each.key.nth for each in mutants_of(source, FILE)] == [1, 2]


def test_what_type_checkers_alone_read_has_no_mutants() -> None:
    source = "TYPE_CHECKING = 0\nif TYPE_CHECKING:\n    LEAST = 1 + 2\nelse:\n    LEAST = 4\n"
    assert {each.key.line for each in mutants_of(source, FILE)} == {"LEAST = 4"}


def entry(**changes: Any) -> dict[str, Any]:
    """Return an entry of the file of equivalents, a good one but for `changes`."""
    known = {"file": FILE, "function": "unused", "line": "return not count", "mutated": "return count"}
    return {**known, "reason": REASON, **changes}


def listed(folder: Path, *entries: dict[str, Any]) -> Path:
    """Write a file of equivalents."""
    path = folder / "equivalents.toml"
    rows = [
        "[[equivalent]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in each.items())
        for each in entries
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"reason": "same"}, "a reason is a sentence"),
        ({"why": "unknown field"}, "unknown ['why']"),
        ({"nth": "1"}, "wrong type: ['nth']"),
    ],
)
def test_an_entry_that_is_not_understood_is_an_error(tmp_path: Path, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(equivalents.EquivalentsError) as caught:
        equivalents.read(listed(tmp_path, entry(**wrong)))
    assert told in str(caught.value)


def test_an_entry_without_a_reason_or_twice_is_an_error(tmp_path: Path) -> None:
    incomplete = {name: value for name, value in entry().items() if name != "reason"}
    with pytest.raises(equivalents.EquivalentsError, match=r"missing \['reason'\]"):
        equivalents.read(listed(tmp_path, incomplete))
    with pytest.raises(equivalents.EquivalentsError, match="twice"):
        equivalents.read(listed(tmp_path, entry(), entry()))


@pytest.mark.parametrize(
    "change", [{"line": "return not counts"}, {"mutated": "return None"}, {"function": "total"}, {"nth": 2}]
)
def test_an_entry_is_stale_when_line_mutation_or_place_are_none_of_the_sources(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    known = [each.key for each in mutants_of(SOURCE, FILE)]
    assert equivalents.read(listed(tmp_path, entry())).stale(known) == []
    stale = equivalents.read(listed(tmp_path, entry(**change))).stale(known)
    assert [vars(key) for key in stale] == [{"nth": 1, **{k: v for k, v in entry(**change).items() if k != "reason"}}]


def test_the_file_of_equivalents_is_understood() -> None:
    known = equivalents.read(Path(equivalents.__file__).with_name("equivalents.toml"))
    assert all(key.file.startswith("firmware/lib/ionto/") for key in known.reasons)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of that firmware and that test, where the command is run."""
    for name, text in (
        (FILE, SOURCE),
        ("firmware/lib/ionto/__init__.py", ""),
        ("tests/unit/core/test_adding.py", TESTS),
    ):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "tree")
    return tmp_path / "tree"


def run(*arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run the command; return its exit code, what it said, and its JSON."""
    result = CliRunner().invoke(main, [*arguments, "--workers", "1", "--limit", "0.2"], catch_exceptions=False)
    return result.exit_code, result.output, json.loads(Path("build/mutants.json").read_text(encoding="utf-8"))


def test_who_is_noticed_who_never_ends_and_who_survives(tree: Path) -> None:
    """The whole way: killed by a failing test, killed for never ending, survived; and the checkout is as it was."""
    nothing = str(listed(tree.parent))
    code, said, answer = run("--all", "--equivalents", nothing)
    found = {(row["line"], row["mutated"]): (row["outcome"], row["how"], row["by"]) for row in answer["mutants"]}
    noticed = "tests/unit/core/test_adding.py::test_a_sum"
    assert found == {
        ("done = 0", "done = 1"): ("killed", "fails", noticed),
        ("done = 0", "done = -1"): ("killed", "fails", noticed),
        ("while count:", "while not count:"): ("killed", "fails", noticed),
        ("done += count", "pass"): ("killed", "fails", noticed),
        ("count -= 1", "pass"): ("killed", "does not end", noticed),
        ("count -= 1", "count -= 2"): ("killed", "does not end", noticed),
        ("count -= 1", "count -= 0"): ("killed", "does not end", noticed),
        ("return not count", "return count"): ("survived", "no test reaches it", ""),
    }
    assert (code, answer["killed"], answer["survived"]) == (1, 7, 1)
    assert "1 survived" in said and "87.5 % killed" in said
    assert (tree / FILE).read_text(encoding="utf-8") == SOURCE
    assert run("--all", "--equivalents", nothing)[2]["mutants"] == answer["mutants"], "nothing is tried twice"


def test_an_entry_explains_a_survivor_and_is_an_error_when_stale_or_noticed(tree: Path) -> None:
    wrong = entry(function="total", line="done += count", mutated="pass")
    code, said, answer = run("--equivalents", str(listed(tree.parent, entry(), wrong, entry(line="gone"))))
    assert (code, answer["equivalent"], answer["survived"]) == (1, 1, 0)
    assert "'line': 'gone'" in said
    assert "called equivalent, but tests/unit/core/test_adding.py::test_a_sum notices it: done += count -> pass" in said


def test_on_other_sources_who_was_noticed_is_tried_on_that_test_alone(tree: Path) -> None:
    """Against half an hour for each commit: nothing is measured again, and no other test runs."""
    runs = tree.parent / "runs"
    other = f"""from pathlib import Path

from ionto import adding


def test_what_another_test_notices_sooner():
    with Path({str(runs)!r}).open("a") as file:
        file.write("x")
    assert adding.total(1) == 1
"""
    (tree / "tests/unit/core/test_other.py").write_text(other, encoding="utf-8")
    chosen = ("--all", "--only", "adding.py:total", "--equivalents", str(listed(tree.parent)))
    assert run(*chosen)[2]["killed"] == 7
    runs.write_text("")
    (tree / FILE).write_text("# Another line.\n" + SOURCE, encoding="utf-8")
    code, _, answer = run(*chosen)
    assert (code, answer["tried"], answer["killed"]) == (0, 7, 7)
    assert {(row["by"], row["tests"]) for row in answer["mutants"]} == {
        ("tests/unit/core/test_adding.py::test_a_sum", 1)
    }
    assert [row["at"] for row in answer["mutants"]] == sorted(row["at"] for row in answer["mutants"])
    assert runs.read_text() == "", "no other test was run"


def test_a_test_that_fails_without_a_mutant_notices_none(tree: Path) -> None:
    chosen = ("--all", "--only", "adding.py:total", "--equivalents", str(listed(tree.parent)))
    run(*chosen)
    (tree / FILE).write_text(SOURCE.replace("done = 0", "done = 5"), encoding="utf-8")
    _, said, _ = run(*chosen)
    assert "tests/unit/core/test_adding.py fails without a mutant" in said


def test_a_test_that_is_gone_is_not_asked(tree: Path) -> None:
    """Who was noticed by it is tried on all the others."""
    chosen = ("--all", "--only", "adding.py:total", "--equivalents", str(listed(tree.parent)))
    run(*chosen)
    (tree / "tests/unit/core/test_adding.py").rename(tree / "tests/unit/core/test_sums.py")
    code, _, answer = run(*chosen)
    assert (code, answer["killed"]) == (0, 7)
    assert {row["by"] for row in answer["mutants"]} == {"tests/unit/core/test_sums.py::test_a_sum"}


def test_a_listed_survivor_is_not_tried_again_while_its_line_stands_and_the_answer_says_so(tree: Path) -> None:
    chosen = (
        "--all",
        "--only",
        "adding.py:unused",
        "--sample",
        "1",
        "--equivalents",
        str(listed(tree.parent, entry())),
    )
    assert run(*chosen)[2]["older"] == 0
    (tree / FILE).write_text("# Another line.\n" + SOURCE, encoding="utf-8")
    _, said, answer = run(*chosen)
    assert (answer["equivalent"], answer["older"]) == (1, 1)
    assert "1 of them tried on older sources" in " ".join(said.split())


def test_a_test_that_looks_at_every_name_of_a_file_is_asked_about_each(tree: Path) -> None:
    """It runs no line of the firmware and speaks of none of its names; its module is named after the file."""
    (tree / "firmware/lib/ionto/numbers.py").write_text("FIRST = 1\nSECOND = 2\n", encoding="utf-8")
    looks = """from ionto import numbers


def test_every_number_has_its_place():
    found = [value for name, value in vars(numbers).items() if name.isupper()]
    assert found == list(range(1, len(found) + 1))
"""
    (tree / "tests/unit/core/test_numbers.py").write_text(looks, encoding="utf-8")
    _, _, answer = run("--all", "--only", "numbers.py", "--equivalents", str(listed(tree.parent)))
    assert answer["tried"] == answer["killed"] > 2
