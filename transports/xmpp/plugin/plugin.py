"""The plugin: says that this client speaks envelopes, sends them, and tells of those that arrive."""

from __future__ import annotations

import uuid
from typing import ClassVar

from slixmpp import JID
from slixmpp.plugins import BasePlugin
from slixmpp.stanza import Message
from slixmpp.xmlstream import StanzaBase, register_stanza_plugin
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from transports.carriers import XMPP_MAX_ENVELOPE, XMPP_NAMESPACE
from transports.errors import TooLargeError
from transports.room import RelayNote
from transports.xmpp.plugin.stanza import Envelope, MalformedEnvelopeError, envelope_message

__all__ = ["EnvelopePlugin"]


class EnvelopePlugin(BasePlugin):
    """Sends envelopes, and tells of those that arrive, by events that have the message as their argument.

    * `mls_bridge_envelope`: `message["mls_bridge_envelope"]["data"]` is an envelope;
    * `mls_bridge_malformed`: the message says that it carries one, and does not.

    One's own messages to a MUC come back as events too, as all messages in a MUC do.
    """

    name = "mls_bridge_envelope"
    description = "MLS envelopes (mls-bridge)"
    dependencies: ClassVar[set[str]] = {"xep_0030"}

    def plugin_init(self) -> None:
        register_stanza_plugin(Message, Envelope)
        self.xmpp.register_handler(Callback(self.name, StanzaPath(f"message/{self.name}"), self._on_message))

    def plugin_end(self) -> None:
        self.xmpp.remove_handler(self.name)
        self.xmpp.plugin["xep_0030"].del_feature(feature=XMPP_NAMESPACE)

    def session_bind(self, jid: JID) -> None:  # noqa: ARG002 - slixmpp passes it
        self.xmpp.plugin["xep_0030"].add_feature(XMPP_NAMESPACE)

    def make_envelope(
        self,
        to: JID | str,
        envelope: bytes,
        *,
        transaction: str | None = None,
        note: RelayNote | None = None,
        body: str | None = None,
        kind: str = "groupchat",
    ) -> Message:
        """A message that carries an envelope; its id is the `transaction`. Raises `TooLargeError`."""
        if len(envelope) > XMPP_MAX_ENVELOPE:
            raise TooLargeError(f"an envelope of {len(envelope)} bytes", where=str(to), limit=XMPP_MAX_ENVELOPE)
        transaction = transaction or uuid.uuid4().hex
        xml = envelope_message(str(to), envelope, transaction=transaction, note=note, body=body, kind=kind)
        # A component's streams have a default namespace of their own.
        for part in xml.iter():
            part.tag = part.tag.replace("{jabber:client}", f"{{{self.xmpp.default_ns}}}")
        return Message(self.xmpp, xml)  # type: ignore[no-untyped-call]

    def send_envelope(
        self, to: JID | str, envelope: bytes, *, transaction: str | None = None, body: str | None = None
    ) -> str:
        """Send an envelope to a room, and return its transaction. Raises `TooLargeError`.

        slixmpp tells nobody when a connection is gone: what arrived is what came back from the room.
        """
        message = self.make_envelope(to, envelope, transaction=transaction, body=body)
        message.send()
        return str(message["id"])

    def _on_message(self, message: StanzaBase) -> None:
        try:
            message[self.name]["data"]
        except MalformedEnvelopeError:
            self.xmpp.event("mls_bridge_malformed", message)
        else:
            self.xmpp.event(self.name, message)
