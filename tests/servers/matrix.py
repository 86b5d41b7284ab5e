"""A person on Matrix, in bare HTTP: no client library stands between the tests and the server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from bridge.servers import SynapseServer

__all__ = ["Person", "Refused", "log_in"]

API = "/_matrix/client/v3"

JsonObject = dict[str, object]


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """The server has answered with an error."""

    def __init__(self, status: int, answer: JsonObject) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status
        self.code = answer.get("errcode")


@dataclass
class Person:
    """An account that is logged in."""

    server: SynapseServer
    token: str

    def create_room(self, **settings: object) -> str:
        return str(self.call("POST", f"{API}/createRoom", settings)["room_id"])

    def join(self, room: str, via: str) -> None:
        self.call("POST", f"{API}/join/{quote(room)}?via={quote(via)}", {})

    def send(self, room: str, text: str) -> str:
        path = f"{API}/rooms/{quote(room)}/send/m.room.message/{uuid.uuid4()}"
        return str(self.call("PUT", path, {"msgtype": "m.text", "body": text})["event_id"])

    def texts(self, room: str) -> list[str]:
        """Return the room's messages, oldest first."""
        page = self.call("GET", f"{API}/rooms/{quote(room)}/messages?dir=f&limit=100")
        events = cast("list[dict[str, JsonObject]]", page["chunk"])
        return [str(event["content"]["body"]) for event in events if "body" in event["content"]]

    def newest(self, room: str, kind: str) -> list[tuple[str, JsonObject]]:
        """Return id and content of the room's newest events of a type, the newest first: 1,000 events are looked at."""
        page = self.call("GET", f"{API}/rooms/{quote(room)}/messages?dir=b&limit=1000")
        events = cast("list[JsonObject]", page["chunk"])
        return [
            (str(event["event_id"]), cast("JsonObject", event["content"])) for event in events if event["type"] == kind
        ]

    def redact(self, room: str, event: str) -> None:
        """Take an event out of the room."""
        self.call("PUT", f"{API}/rooms/{quote(room)}/redact/{quote(event)}/{uuid.uuid4()}", {})

    def call(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        return call(self.server, method, path, body, self.token)


def log_in(server: SynapseServer, user: str, password: str) -> Person:
    body: JsonObject = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
    }
    return Person(server, str(call(server, "POST", f"{API}/login", body)["access_token"]))


def call(server: SynapseServer, method: str, path: str, body: JsonObject | None, token: str = "") -> JsonObject:
    request = urllib.request.Request(  # noqa: S310 - it is HTTP
        server.url + path, None if body is None else json.dumps(body).encode(), method=method
    )
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return cast("JsonObject", json.load(response))
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(error.code, cast("JsonObject", json.load(error))) from None
