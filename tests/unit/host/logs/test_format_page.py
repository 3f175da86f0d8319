"""docs/log_format.md is enough to write a decoder: this one takes its layouts from the page and shares no code."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from ionto_host import logs

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "log_format.md").read_text(encoding="utf-8")
CODES = {"u8": "B", "u16": "H", "u32": "I", "i16": "h", "i32": "i"}


def rows(kind: str) -> list[tuple[int, str, str]]:
    """Return (offset, type, name) of the fields of a sample or an event, from the page's table."""
    table = PAGE[PAGE.index(f"| at | type | {kind} field |") :].split("\n\n", 1)[0]
    return [(int(at), code, name) for at, code, name in re.findall(r"^\| (\d+) \| (\w+) \| `(\w+)`", table, re.M)]


def unpack(kind: str, payload: bytes) -> list[dict[str, int]]:
    """Return the rows of a record, field by field at the offsets that the page gives."""
    fields = rows(kind)
    size = fields[-1][0] + struct.calcsize(CODES[fields[-1][1]])
    assert len(payload) % size == 0
    return [
        {name: struct.unpack_from("<" + CODES[code], payload, start + at)[0] for at, code, name in fields}
        for start in range(0, len(payload), size)
    ]


def decode(data: bytes) -> dict[str, Any]:
    """Return the records of a log of format 3 by the page alone; AssertionError for anything it does not allow."""
    kinds = dict(
        re.findall(r"(\d) (arm|samples|events|end|test)\b", PAGE[PAGE.index("kind: 1 arm") :].split("\n", 1)[0])
    )
    assert data.startswith(b"IONTOLOG\x03\x00")
    at, chain, found = 10, data[:10], {"samples": [], "events": []}
    for sequence in range(0x10000):
        if at == len(data):
            return found
        mark, kind, number, length = struct.unpack_from("<BBHH", data, at)
        payload = data[at + 6 : at + 6 + length]
        chain = hashlib.sha256(chain + data[at : at + 6 + length]).digest()
        end = at + 6 + length + 32
        assert (mark, number, data[end - 32 : end]) == (0xA9, sequence, chain)
        assert data[end : end + 4] == struct.pack("<I", zlib.crc32(data[at:end]))
        name = kinds[str(kind)]
        if name in ("samples", "events"):
            found[name] += unpack(name[:-1], payload)
        else:
            found[name] = json.loads(payload)
        at = end + 4
    raise AssertionError("too many records")


@pytest.mark.hazard("HAZ-32")
def test_the_page_decodes_the_golden_log() -> None:
    """Every sample, event and number as our own reader has it."""
    path = ROOT / "tests" / "golden" / "format_3.ilog"
    found, session = decode(path.read_bytes()), logs.read(path)
    assert [tuple(row.values()) for row in found["samples"]] == [tuple(sample) for sample in session.samples]
    assert list(found["samples"][0]) == list(logs.Sample._fields)
    assert [tuple(row.values()) for row in found["events"]] == [tuple(event) for event in session.events]
    assert list(found["events"][0]) == list(logs.Event._fields)
    assert (found["arm"], found["test"], found["end"]) == (session.header, session.test, session.end)


def test_the_page_decodes_format_1() -> None:
    """By its last section: no mark, no chain, 20 bytes a sample."""
    path = ROOT / "tests" / "golden" / "format_1.ilog"
    data, samples, at = path.read_bytes(), [], 10
    while at < len(data):
        kind, _, length = struct.unpack_from("<BBH", data, at)
        end = at + 4 + length
        assert data[end : end + 4] == struct.pack("<I", zlib.crc32(data[at:end]))
        if kind == 2:
            samples += struct.iter_unpack("<IHhhhHHI", data[at + 4 : end])
        at = end + 4
    read = logs.read(path).samples
    assert [(row[0], row[7], row[1], row[2], row[5], row[6]) for row in samples] == [
        (item.t_ms, item.charge_uc, item.setpoint_ua, item.current_mean_ua, item.load_mv, item.state) for item in read
    ]


def test_the_page_names_every_key_event_and_state() -> None:
    """Against a page that falls behind: what the golden log has, and what the firmware can write."""
    from ionto import protocol, sessionlog_format

    session = logs.read(ROOT / "tests" / "golden" / "format_3.ilog")
    for key in (*session.header, *session.test, *session.end):
        assert f"`{key}`" in PAGE, key
    for number, name in sessionlog_format.EVENT_NAMES.items():
        assert f"| {number} | {name} |" in PAGE
    for number, name in enumerate(protocol.STATES):
        assert f"{number} {name.lower().replace('_', ' ').replace('self test', 'self-test')}" in PAGE, name
    for number, name in list(enumerate(protocol.OUTCOMES))[1:]:
        assert f"{number} {name.replace('_', ' ')}" in PAGE, name
