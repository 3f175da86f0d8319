"""The pytest plugin as other projects meet it: free of cost, without hardware unless asked for, and honest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
pytest_plugins = ("pytester",)

ASKS = """
    import pytest

    @pytest.mark.capability("fault injection")
    def test_lacks(device):
        raise AssertionError("never run")

    @pytest.mark.capability("switch heartbeat")
    def test_has(device):
        pass

    @pytest.mark.hazard("HAZ-01")
    def test_needs_no_board():
        pass
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest on the files made."""
    monkeypatch.delenv("IONTO_BENCH", raising=False)

    def start(*arguments):
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", "-rs", *arguments)

    return start


def test_it_imports_nothing_until_a_fixture_is_used():
    code = (
        "import ionto_host.bench.plugin, sys; print(sorted(m for m in sys.modules if m.startswith(('ionto','serial'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['ionto_host', 'ionto_host.bench', 'ionto_host.bench.plugin']"


def test_without_a_fixture_of_its_it_does_nothing(run, pytester):
    pytester.makepyfile("def test_mine(tmp_path):\n    assert tmp_path\n")
    run("--bench", "no_such_file.toml").assert_outcomes(passed=1)


def test_a_real_bench_without_its_board(run, pytester):
    """What the bench lacks is skipped before anything is touched; the port that is not there is an error."""
    text = (EXAMPLES / "bench.toml").read_text().replace("e66038b713596a2f", "/dev/no-such-port", 1)
    pytester.makefile(".toml", bench=text)
    pytester.makepyfile(ASKS)
    result = run("--bench", "bench.toml")
    result.assert_outcomes(passed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*bench lacks: fault injection*"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--device", "bench"), "*--device bench needs a bench file: --bench FILE, or IONTO_BENCH*"),
        (("--device", "moon"), "*--device moon: one of virtual, emulated, bench*"),
        (("--bench", "none.toml"), "*there is no bench file none.toml*"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(run, pytester, arguments, text):
    pytester.makepyfile(ASKS)
    result = run(*arguments)
    (result.stdout if "none.toml" in arguments else result.stderr).fnmatch_lines([text])
    assert result.ret != 0


def test_the_tests_are_collected_for_every_tier(run, pytester):
    pytester.makepyfile(ASKS)
    result = run("--collect-only", "--device", "virtual,emulated")
    result.stdout.fnmatch_lines(["*test_lacks?virtual?*", "*test_lacks?emulated?*"])


def test_its_fixtures_give_way_to_those_of_a_project(run, pytester):
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef device():\n    return 'mine'\n")
    pytester.makepyfile("def test_mine(device):\n    assert device == 'mine'\n")
    run().assert_outcomes(passed=1)


def test_its_short_option_gives_way_to_that_of_a_project(run, pytester):
    pytester.makeconftest("def pytest_addoption(parser):\n    parser.addoption('--device', default='cpu')\n")
    pytester.makepyfile("def test_mine(request):\n    assert request.config.getoption('--device') == 'gpu'\n")
    run("--device", "gpu").assert_outcomes(passed=1)


def test_a_simulated_bench_leaves_a_port_alone(run, pytester):
    """Nothing real is touched without a bench file that describes it."""
    pytester.makepyfile(ASKS)
    found = run("--bench-port", "/dev/ttyACM77")
    assert found.parseoutcomes().get("errors") and "/dev/ttyACM77 was not touched" in found.stdout.str()


def test_what_was_left_out_is_in_the_record(run, pytester):
    """A part of the suite does not look like all of it."""
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef device(ionto_tier):\n    return ionto_tier\n")
    pytester.makepyfile("def test_first(device):\n    pass\n\ndef test_second(device):\n    pass\n")
    run("-k", "first", "--bench-record", "record.json").assert_outcomes(passed=1, deselected=1)
    results = json.loads((pytester.path / "record.json").read_text())["results"]
    assert [(one["test"], one["outcome"]) for one in results] == [("test_first", "passed"), ("test_second", "skipped")]
    assert results[1]["reason"] == "left out of this run"


def test_a_failed_safety_check_stops_the_rest(run, pytester):
    pytester.makeconftest(
        """
        import pytest
        from ionto_host.errors import SafetyError

        @pytest.fixture(scope="session")
        def ionto_rig(ionto_tier):
            return object()

        @pytest.fixture
        def device(ionto_rig):
            raise SafetyError("current with the output off")
        """
    )
    pytester.makepyfile("def test_first(device):\n    pass\n\ndef test_second(device):\n    pass\n")
    result = run("--device", "virtual")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a safety check failed, the rest is not run: current with the output off*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.hazard("HAZ-34")
def test_a_failed_safety_check_beside_another_error_stops_the_rest(run, pytester):
    """pytest puts two errors of one tear-down into a group."""
    pytester.makeconftest(
        """
        import pytest
        from ionto_host.errors import BenchError, SafetyError

        @pytest.fixture
        def device(ionto_tier):
            yield
            raise SafetyError("current with the output off")

        @pytest.fixture
        def power(device):
            yield
            raise BenchError("the hub does not answer")
        """
    )
    pytester.makepyfile("def test_first(power):\n    pass\n\ndef test_second(power):\n    pass\n")
    result = run("--device", "virtual")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*a safety check failed, the rest is not run: current with the output off*"])


@pytest.mark.hazard("HAZ-34")
def test_an_interrupted_run_does_not_pass_and_says_what_closing_it_found(pytester, monkeypatch):
    monkeypatch.delenv("IONTO_BENCH", raising=False)
    pytester.makeconftest(
        """
        import os, signal, pytest
        from ionto_host.bench.rig import interrupted_once
        from ionto_host.errors import SafetyError

        @pytest.fixture(scope="session")
        def ionto_rig(ionto_tier):
            with interrupted_once():
                yield
                os.kill(os.getpid(), signal.SIGINT)  # once more: ignored by now
            if os.environ.get("UNSAFE"):
                raise SafetyError("current with the output off")
        """
    )
    pytester.makepyfile(
        """
        import os, signal
        def test_first(ionto_rig): pass
        def test_second(ionto_rig): os.kill(os.getpid(), signal.SIGINT)
        def test_third(ionto_rig): pass
        """
    )
    for unsafe, stopped in (("", "interrupted"), ("1", "a safety check failed: current with the output off")):
        monkeypatch.setenv("UNSAFE", unsafe)
        done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--bench-record", "record.json")
        assert done.ret == pytest.ExitCode.INTERRUPTED
        done.stdout.fnmatch_lines([f"*{'current with the output off' if unsafe else 'KeyboardInterrupt'}*"])
        made = json.loads((pytester.path / "record.json").read_text())
        assert (made["passed"], made["stopped"]) == (False, stopped)
        reasons = [(one["outcome"], one["reason"]) for one in made["results"]]
        assert reasons == [("passed", ""), *[("skipped", f"not run: {stopped}")] * 2]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_person_is_asked_only_at_a_terminal(pytester, terminal):
    """pytest takes stdin away while it captures; the plugin gives it back while somebody is asked."""
    pytester.makepyfile(
        f"""
        from ionto_host.bench import terminal

        def test_ask(request):
            assert terminal.can_ask(request.config) is {terminal}
            if {terminal}:
                assert terminal.person(request.config).ask("mA?") == 0.801
        """
    )
    ours, theirs = os.openpty()
    os.write(ours, b"nonsense\n0,801\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(pytester.path)]
    with open(theirs if terminal else os.devnull, "rb") as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    assert done.returncode == 0, done.stdout
