"""Short requests to a server of ours, with JSON both ways."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping

from bridge.servers.errors import ServerError
from bridge.servers.ports import LOOPBACK

__all__ = ["answers", "request"]

SECONDS = 30.0


def request(port: int, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, object]:
    """Return the status and the JSON that it answers, or `None` where that is no JSON. Raises `ServerError`.

    It connects to the loopback itself: no proxy that the environment names comes in between.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"the server on port {port} does not answer: {error!r}") from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(answer)
    except ValueError:
        return response.status, None


def answers(port: int, path: str) -> bool:
    """Whether it answers a request, whatever it says."""
    try:
        request(port, "GET", path)
    except ServerError:
        return False
    return True
