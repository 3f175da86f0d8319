"""Finding, fetching and showing the MicroPython image: never another than the pinned one, no network."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ionto_host import cli
from ionto_host.board import micropython_image
from ionto_host.errors import DownloadError, IntegrityError, MissingPartError, UsageError
from ionto_host.patience import patient

GOOD = b"UF2\n" * 50_000
BAD = GOOD[:-1] + b"?"


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves the good image, a damaged one, and nothing else; counts what is asked for."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = {"/good.uf2": GOOD, "/bad.uf2": BAD}.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server on this machine."""
    _Handler.asked.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no image named, and the digest of `GOOD` as the official one."""
    monkeypatch.delenv(micropython_image.VARIABLE, raising=False)
    monkeypatch.setattr(micropython_image.platformdirs, "user_cache_dir", lambda *names, **options: str(tmp_path / "c"))
    monkeypatch.setattr(micropython_image, "SHA256", hashlib.sha256(GOOD).hexdigest())
    return tmp_path / "c"


def no_progress(done: int, total: int) -> None:
    """Take the progress and do nothing with it."""


def test_without_an_image_the_error_says_what_to_type() -> None:
    with pytest.raises(MissingPartError) as caught:
        micropython_image.find()
    assert "ionto firmware fetch" in caught.value.action
    assert micropython_image.VARIABLE in caught.value.action


def test_argument_before_variable_before_fetched(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    micropython_image.fetch(no_progress, url=f"{server}/good.uf2")
    assert micropython_image.find().named_by == "ionto firmware fetch"
    own, other = tmp_path / "own.uf2", tmp_path / "other.uf2"
    own.write_bytes(BAD)
    other.write_bytes(GOOD)
    monkeypatch.setenv(micropython_image.VARIABLE, str(own))
    found = micropython_image.find()
    assert (found.path, found.named_by, found.official) == (own, micropython_image.VARIABLE, False)
    assert micropython_image.find(other) == micropython_image.Image(
        other, "the command line", micropython_image.SHA256, True
    )


def test_a_named_image_that_is_not_there_is_not_replaced_by_another(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    micropython_image.fetch(no_progress, url=f"{server}/good.uf2")
    monkeypatch.setenv(micropython_image.VARIABLE, str(tmp_path / "gone.uf2"))
    with pytest.raises(MissingPartError, match=r"gone\.uf2.*IONTO_UF2"):
        micropython_image.find()


def test_fetch_reports_progress_and_does_not_ask_twice(server: str) -> None:
    seen: list[tuple[int, int]] = []
    image, downloaded = micropython_image.fetch(
        lambda done, total: seen.append((done, total)), url=f"{server}/good.uf2"
    )
    assert downloaded
    assert image.official
    assert image.path.read_bytes() == GOOD
    assert seen[-1] == (len(GOOD), len(GOOD))
    assert micropython_image.fetch(no_progress, url=f"{server}/good.uf2") == (image, False)
    assert _Handler.asked == ["/good.uf2"]
    assert micropython_image.fetch(no_progress, force=True, url=f"{server}/good.uf2") == (image, True)


@pytest.mark.hazard("HAZ-30")
def test_another_digest_is_refused_and_leaves_what_was_there(server: str, cache: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        micropython_image.fetch(no_progress, url=f"{server}/bad.uf2")
    assert caught.value.details == {"found": hashlib.sha256(BAD).hexdigest(), "wanted": micropython_image.SHA256}
    assert all(digest in caught.value.message for digest in caught.value.details.values())
    assert not cache.exists()
    micropython_image.fetch(no_progress, url=f"{server}/good.uf2")
    with pytest.raises(IntegrityError):
        micropython_image.fetch(no_progress, force=True, url=f"{server}/bad.uf2")
    assert [path.read_bytes() for path in cache.iterdir()] == [GOOD]


@pytest.mark.hazard("HAZ-30")
def test_a_damaged_fetched_image_is_not_used(server: str) -> None:
    image, _ = micropython_image.fetch(no_progress, url=f"{server}/good.uf2")
    image.path.write_bytes(BAD)
    with pytest.raises(IntegrityError) as caught:
        micropython_image.find()
    assert "--force" in caught.value.action


@pytest.mark.parametrize("path", ["/missing.uf2", ":0/nothing"])
def test_what_cannot_be_fetched_says_how_else_to_get_it(server: str, path: str) -> None:
    url = f"{server}{path}" if path.startswith("/") else f"http://127.0.0.1{path}"
    with pytest.raises(DownloadError) as caught:
        micropython_image.fetch(no_progress, url=url)
    assert micropython_image.VARIABLE in caught.value.action


def test_commands(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both commands answer in text and JSON, and failures have the exit codes of the help."""
    assert cli.main(["firmware", "show", "--json"]) == 6
    assert "ionto firmware fetch" in json.loads(capsys.readouterr().out)["error"]["action"]
    fetch = micropython_image.fetch
    for name, code in (("bad", 7), ("good", 0)):
        url = f"{server}/{name}.uf2"
        monkeypatch.setattr(micropython_image, "fetch", lambda progress, force, url=url: fetch(progress, force, url))
        assert cli.main(["firmware", "fetch", "--json"]) == code
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[1]["official"] is told[1]["downloaded"] is True
    assert cli.main(["firmware", "show"]) == 0
    assert "official, MicroPython 1.28.0" in capsys.readouterr().out
    own = tmp_path / "own.uf2"
    own.write_bytes(BAD)
    assert cli.main(["firmware", "show", "--image", str(own)]) == 0
    assert "not the official image" in capsys.readouterr().out
    assert cli.main(["sim", "--image", str(own)]) == 2


def test_patience_multiplies_what_the_host_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IONTO_PATIENCE", raising=False)
    assert patient(0.5) == 0.5
    monkeypatch.setenv("IONTO_PATIENCE", "20")
    assert patient(0.5) == 10.0
    for text in ("much", "0", "-1", "inf", "nan"):
        monkeypatch.setenv("IONTO_PATIENCE", text)
        with pytest.raises(UsageError, match="IONTO_PATIENCE"):
            patient(1.0)
