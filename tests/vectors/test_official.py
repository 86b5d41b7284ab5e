"""The fetcher of the official vectors, against a server of our own."""

from __future__ import annotations

import hashlib
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from tests.vectors import official

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"one.json": b'[{"length": 1}]', "two.json": b"[]" + b" " * 100_000}
SUMS = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}


class Server:
    """Serves a directory on 127.0.0.1, and remembers what it was asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests: list[str] = []
        server = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever http.server passes
                super().__init__(*args, directory=str(directory), **kwargs)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
                server.requests.append(self.path)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.source = f"http://127.0.0.1:{self.http.server_port}/"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = tmp_path / "served"
    served.mkdir()
    for name, data in FILES.items():
        (served / name).write_bytes(data)
    server = Server(served)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def held(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_files_are_fetched_and_kept(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "cache"

    assert official.fetch(server.source, SUMS, cache) == cache
    assert held(cache) == FILES
    assert server.requests == ["/one.json", "/two.json"]


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    official.fetch(server.source, SUMS, cache)
    server.requests.clear()

    official.fetch(server.source, SUMS, cache)

    assert server.requests == []


def test_a_damaged_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    official.fetch(server.source, SUMS, cache)
    server.requests.clear()
    (cache / "two.json").write_bytes(FILES["two.json"][:-1])

    official.fetch(server.source, SUMS, cache)

    assert held(cache) == FILES
    assert server.requests == ["/two.json"]


def test_a_file_with_another_sum_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (server.directory / "two.json").write_bytes(FILES["two.json"] + b" ")

    with pytest.raises(official.FetchError, match=r"two\.json has the SHA-256"):
        official.fetch(server.source, SUMS, cache)

    assert held(cache) == {"one.json": FILES["one.json"]}


def test_a_file_with_another_sum_does_not_replace_what_is_there(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "one.json").write_bytes(b"old")
    (server.directory / "one.json").write_bytes(b"new")

    with pytest.raises(official.FetchError):
        official.fetch(server.source, SUMS, cache)

    assert held(cache) == {"one.json": b"old"}


def test_a_file_that_is_not_there_is_an_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HTTPError, match="404") as error_info:
        official.fetch(server.source, {"three.json": "00"}, tmp_path / "cache")
    error_info.value.close()


def test_sums_are_recorded_for_every_official_file() -> None:
    assert len(official.SUMS) == 16
    assert all(name.endswith(".json") and len(bytes.fromhex(digest)) == 32 for name, digest in official.SUMS.items())


def test_the_environment_variable_names_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLS_TEST_VECTORS", str(tmp_path))

    assert official.official_vectors.__wrapped__() == tmp_path


def test_the_vectors_are_found_beside_a_directory_above(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLS_TEST_VECTORS", raising=False)
    monkeypatch.setattr(official, "ROOT", tmp_path / "somewhere" / "project")
    (tmp_path / "shared" / "mls-test-vectors").mkdir(parents=True)

    assert official.official_vectors.__wrapped__() == tmp_path / "shared" / "mls-test-vectors"


def test_without_any_the_vectors_are_fetched_into_the_cache(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLS_TEST_VECTORS", raising=False)
    monkeypatch.setattr(official, "ROOT", tmp_path / "project")
    monkeypatch.setattr(official, "SOURCE", server.source)
    monkeypatch.setattr(official, "SUMS", SUMS)

    directory = official.official_vectors.__wrapped__()

    assert directory == tmp_path / "project" / ".cache" / "mls-test-vectors" / official.COMMIT
    assert held(directory) == FILES


def test_the_vectors_at_hand_are_the_official_ones() -> None:
    directory = official.official_vectors()
    found = {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in official.SUMS}

    assert found == official.SUMS
