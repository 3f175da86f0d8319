"""Bench files: what they say, and what is said when they are wrong."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionto_host import cli
from ionto_host.bench import benchfile, builtin, rig, wiring
from ionto_host.errors import BenchFileError, LackingError

EXAMPLES = Path(__file__).parents[3] / "examples"
TEXT = (EXAMPLES / "bench.toml").read_text()
VIRTUAL = (EXAMPLES / "virtual_bench.toml").read_text()


def read(tmp_path, text):
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return benchfile.read(path)


def refused(tmp_path, text):
    with pytest.raises(BenchFileError) as caught:
        read(tmp_path, text)
    return caught.value


def test_the_examples_are_benches():
    real, virtual = (benchfile.read(EXAMPLES / name) for name in ("bench.toml", "virtual_bench.toml"))
    assert not real.simulated and real.load.choices_ohm == (1_000, 4_700) and real.meter.address == 0x41
    assert virtual.simulated and virtual.sim.meter_offset_ua == 3 and virtual.meter.gain_ppm == 1_000
    assert real.room["temperature_c"] == "23"
    assert builtin.choose("emulated", None).port == "emulated"
    assert builtin.choose("virtual", real).name == virtual.name, "a real bench is no virtual one"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('variant = "A"', 'variant = "C"', "line 11: board.variant: 'C'; one of A, B"),
        ("address = 0x41", "address = 0x51", "meter.address: 81; a number from 64 to 79"),
        ("pga_range_mv = 80", "pga_range_mv = 100", "meter.pga_range_mv: 100; one of 40, 80, 160, 320"),
        ("tolerance_percent = 1", "tolerance_percent = 99", "load.tolerance_percent: 99; a number from 0 to 20 %"),
        ("tolerance_percent = 1", "", "load.tolerance_percent: missing"),
        ("bench_strap = true", 'bench_strap = "yes"', "board.bench_strap: 'yes'; true or false"),
        ("battery = true", "batery = true", "board.batery: unknown field batery; known: port"),
        ("[switch.stop]", "[switch.halt]", "unknown field halt; known: usb, power, stop"),
        ("ohm = 4700", "ohm = 0", "load.relays.ohm: 0; a number from 100"),
        ('pin = "G2"', "", "switch.heartbeat.pin: missing"),
        ('kind = "ina219"', 'kind = "sim"', 'meter.kind: \'sim\'; "sim" is the meter of a port "virtual"'),
        ("schema = 1", "schema = 7", "schema has to be 1"),
        ('pin = "G2"', 'pin = "G1"', "switch.heartbeat: pin G1 is that of load.relays, 4700 ohm already"),
        ("[board]", "[board", "not TOML"),
        ('name = "INA219 on MCP2221, shunt no. 7"', f'name = "{"x" * 41}"', "41 characters; at most 40"),
        ('kind = "relay"\npin = "G0"', 'kind = "person"', "load.relays.kind: 'person'; one of command, relay"),
        ('kind = "relay"\npin = "G0"', 'kind = "sim"', "load.relays.kind: 'sim'; one of command, relay"),
        ("ohm = 4700", "ohm = 1000.0", "load.relays.ohm: 1000 ohm is that of another relay already"),
        ("battery = true", 'board_id = "e66"', "board.board_id: 'e66'; 16 hex digits"),
        ("[room]", '[relays]\nbridge = "ft232h"\n[room]', "relays.bridge: 'ft232h'; the meter is on 'mcp2221'"),
        ("address = 0x41", "address = 65.5", "meter.address: 65.5; a whole number from 64 to 79"),
        ("range_ma = 8", "range_ma = 9", "meter.range_ma: 9 mA; 80 mV over 10 ohm reach 8 mA"),
        ("[room]", "[sim]\nseed = 1\n[room]", 'only a port "virtual" or "emulated" has a [sim]'),
    ],
)
def test_what_is_wrong_is_said_with_line_value_and_range(tmp_path, old, new, text):
    assert old in TEXT
    error = refused(tmp_path, TEXT.replace(old, new, 1))
    assert text in error.message and "docs/bench.md" in error.action
    assert str(tmp_path / "bench.toml") in error.message


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(str(10**400), "...; a number from 64 to 79", id="400 digits"),
        pytest.param(
            f"0x{'f' * 9_000}", "a number of thousands of digits; a number from 64 to 79", id="9000 hex digits"
        ),
        pytest.param("nan", "NaN; a number from 64 to 79", id="nan"),
    ],
)
def test_a_number_that_no_float_is(tmp_path, number, text):
    wrong = TEXT.replace("address = 0x41", f"address = {number}").replace("temperature_c = 23", f"many = {number}")
    assert text in refused(tmp_path, wrong).message


@pytest.mark.parametrize("speed", ["'fast'", "'0'", "-1", "inf", "nan", "true", "[1]", str(10**400)])
def test_a_speed_that_no_simulator_has(tmp_path, speed):
    error = refused(tmp_path, f"{VIRTUAL}\nspeed = {speed}\n")
    assert "sim.speed: " in error.message and '; "max" or a factor above 0' in error.message
    assert f"line {VIRTUAL.count(chr(10)) + 2}: " in error.message


@pytest.mark.parametrize(("speed", "kept"), [("'max'", "max"), ("8", "8"), ("'0.5'", "0.5")])
def test_a_speed(tmp_path, speed, kept):
    assert read(tmp_path, f"{VIRTUAL}\nspeed = {speed}\n").sim.speed == kept


@pytest.mark.parametrize("value", [str(10**400), "inf", "true", "'x'"])
def test_values_of_a_simulator_are_numbers(tmp_path, value):
    assert "a table of numbers" in refused(tmp_path, f"{VIRTUAL}\nvalues = {{ ina_gain = {value} }}\n").message


def test_relays_are_on_the_meters_bridge_or_on_one_that_is_named(tmp_path):
    head, _, tail = TEXT.partition("[meter]")
    typed = f'{head}[meter]\nkind = "typed"\nname = "dmm"\nrange_ma = 8\nuncertainty_percent = 1\nuncertainty_ua = 1\n'
    typed += f"[load]{tail.partition('[load]')[2]}"
    assert read(tmp_path, TEXT).relay_bridge == read(tmp_path, typed).relay_bridge == "mcp2221"
    assert read(tmp_path, TEXT.replace('"mcp2221"', '"ft232h"', 1)).relay_bridge == "ft232h"
    named = read(tmp_path, f'{typed}\n[relays]\nbridge = "ft232h"\n')
    assert named.relay_bridge == "ft232h"
    words = [row.words() for row in wiring.connections(named)]
    assert any("the relay on pin G0 of the FT232H" in line for line in words)
    assert any("USB of the FT232H" in line for line in words)


def test_a_simulator_that_is_gone_is_no_defect_of_ionto(tmp_path, capsys):
    (tmp_path / "bench.toml").write_text(f"{VIRTUAL}\nstate_dir = '{tmp_path}/sim'\n")
    assert cli.main(["bench", "check", str(tmp_path / "bench.toml")]) == 3
    assert f"no simulator runs in {tmp_path}/sim; start one with: ionto sim" in capsys.readouterr().err


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    error = refused(tmp_path, TEXT.replace('variant = "A"', 'variant = "C"').replace("ohm = 1000", "ohm = -1"))
    assert len(error.details["problems"]) == 2


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BenchFileError, match="there is no bench file") as caught:
        benchfile.read(tmp_path / "none.toml")
    assert "examples/bench.toml" in caught.value.action


@settings(max_examples=40)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(f"schema = 1\n{text}", encoding="utf-8")
    with pytest.raises(BenchFileError):
        benchfile.read(path)


@given(st.sampled_from(["board", "load", "meter", "switch", "room", "sim", "timing"]), st.sampled_from([1, "x", [1]]))
def test_a_field_where_a_table_belongs(tmp_path_factory, name, value):
    path = tmp_path_factory.getbasetemp() / "table.toml"
    path.write_text(f"schema = 1\nname = 'x'\n{name} = {value!r}\n")
    with pytest.raises(BenchFileError, match=name):
        benchfile.read(path)


def test_what_a_person_does_is_a_capability_only_with_a_person():
    bench = benchfile.read(EXAMPLES / "bench.toml")
    alone, with_person = rig.capabilities(bench, False), rig.capabilities(bench, True)
    assert with_person - alone == {"switch stop", "switch lift"}
    assert {"switch usb", "switch heartbeat", "automatic meter", "load to choose from"} <= alone
    assert "fault injection" not in with_person and "loop timing instrument" not in with_person


def test_a_fixed_load_offers_itself_only(tmp_path):
    head, _, tail = TEXT.partition("[load]")
    after = tail.partition("[switch.usb]")[2]
    text = f'{head}[load]\nkind = "fixed"\nohm = 2200\ntolerance_percent = 1\n[switch.usb]{after}'
    bench = read(tmp_path, text)
    from ionto_host.bench.loads import Load

    load = Load(bench.load, None)
    load.set_ohm(2_200)
    assert load.nearest(10_000) == 2_200
    with pytest.raises(LackingError, match="bench lacks: a load of 1000 ohm"):
        load.set_ohm(1_000)


def test_the_wiring_names_every_connection_with_its_pin():
    rows = wiring.connections(benchfile.read(EXAMPLES / "bench.toml"))
    words = "\n".join(row.words() for row in rows)
    for part in ("connect J2 (electrode, +) to IN+ of INA219", "GP11 (jumper JP1) to GND", "GP22 (test point TP14)"):
        assert part in words, words


@pytest.mark.parametrize(
    ("meter_ua", "board_ua", "seen_ohm", "name", "text"),
    [
        (800, 801, 1_010, "load circuit", "1010 ohm"),
        (-800, 801, 1_010, "meter", "the wrong way round"),
        (2, 801, 1_010, "meter", "not in series"),
        (400, 801, 1_010, "meter", "50.1 % apart"),
        (800, 801, 4_700, "load", "sees a load of 4700 ohm"),
        (800, 801, 20, "load", "sees a load of 20 ohm"),
    ],
)
@pytest.mark.hazard("HAZ-34")
def test_three_readings_say_how_the_bench_is_wired(meter_ua, board_ua, seen_ohm, name, text):
    bench = benchfile.read(EXAMPLES / "bench.toml")
    found = wiring.judge(bench, meter_ua, board_ua, seen_ohm, 1_000, 10)
    assert found.name == name and text in found.text
    assert bool(found.action) == (name != "load circuit")
