"""What somebody who was removed can still open: nothing of what was sent in later epochs, by any means it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mls.errors import MlsError
from mls.framing.private import open_content, open_sender_data
from mls.group.processing import process
from mls.schedule.secret_tree import RatchetLimits
from mls.wire.commit import Commit, UpdatePath
from mls.wire.framing import PrivateMessage, PublicMessage
from mls.wire.message import MLSMessage, wrap
from mls.wire.welcome import Welcome
from tests.mls.stored import reload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment
    from mls.group.state import GroupState

__all__ = ["Outcast", "SealedPath", "private_keys"]


@dataclass(frozen=True, eq=False)
class Outcast:
    """A client that was removed, with a copy of all that it knew."""

    name: str
    state: GroupState
    first_epoch: int
    """The epoch that it is not in any more."""

    @classmethod
    def of(cls, name: str, state: GroupState, first_epoch: int) -> Outcast:
        """Return the outcast; `state` is copied, so that what its owner wipes stays known here."""
        return cls(name, reload(state), first_epoch)

    def opens_nothing_of(self, data: bytes, environment: Environment, now: int) -> None:
        """See that a message of a later epoch stays closed, under the epoch that it names or any other."""
        for version in (data, *relabelled(data, self.state)):
            with pytest.raises(MlsError):
                process(self.state, environment, version, now=now)

    def learns_nothing_from(self, path: SealedPath) -> None:
        """See that none of its keys opens a path secret of a Commit."""
        assert path.opened_by(private_keys(self.state)) == 0

    def is_not_welcome(self, welcome: bytes) -> None:
        """See that none of its keys opens a Welcome."""
        message = MLSMessage.decode(welcome).message
        assert isinstance(message, Welcome)
        for entry in message.secrets:
            sealed, context = entry.encrypted_group_secrets, message.encrypted_group_info
            for key in private_keys(self.state):
                opened = self.state.suite.decrypt_with_label(
                    key, "Welcome", context, sealed.kem_output, sealed.ciphertext
                )
                assert opened is None


def private_keys(state: GroupState) -> list[HPKEPrivateKey]:
    """Return each private key that a member has, once: in the tree, proposed, or in a Commit of its own."""
    trees = [state.private_tree, *(made.next_epoch.private_tree for made in state.pending)]
    keys = [key for tree in trees for _, key in tree.items()]
    keys += [update.encryption_key for update in state.own_updates]
    return list({key.public_key: key for key in keys}.values())


def relabelled(data: bytes, state: GroupState) -> Iterator[bytes]:
    """Yield the message under the number of each epoch that a state has keys of."""
    message = MLSMessage.decode(data).message
    for epoch in (state.epoch, *(past.context.epoch for past in state.past)):
        match message:
            case PrivateMessage():
                yield wrap(message.replace(epoch=epoch)).encode()
            case PublicMessage():
                yield wrap(message.replace(content=message.content.replace(epoch=epoch))).encode()
            case other:
                msg = f"a {type(other).__name__} has no epoch"
                raise TypeError(msg)


@dataclass(frozen=True)
class SealedPath:
    """A Commit's path, with the context that its secrets are sealed in."""

    path: UpdatePath
    context: bytes
    suite: CipherSuite

    @classmethod
    def of(cls, data: bytes, before: GroupState, after: GroupState) -> SealedPath | None:
        """Return the path of a Commit that a member has followed, between these states; `None` if it has none."""
        path = commit_in(data, before).path
        if path is None:
            return None
        transcript = before.public.context.confirmed_transcript_hash
        provisional = after.public.context.replace(confirmed_transcript_hash=transcript)
        return cls(path, provisional.encode(), before.suite)

    def opened_by(self, keys: list[HPKEPrivateKey]) -> int:
        """Return how many path secrets open with any of these keys."""
        sealed = [ciphertext for node in self.path.nodes for ciphertext in node.encrypted_path_secret]
        return sum(
            self.suite.decrypt_with_label(key, "UpdatePathNode", self.context, one.kem_output, one.ciphertext)
            is not None
            for one in sealed
            for key in keys
        )


def commit_in(data: bytes, state: GroupState) -> Commit:
    """Return the Commit that a message holds, read as a member of its epoch reads it."""
    match MLSMessage.decode(data).message:
        case PublicMessage(content=content):
            found = content.content
        case PrivateMessage() as message:
            sender = open_sender_data(state.suite, message, state.epoch_secrets.sender_data_secret, state.public.tree)
            opened, _, _ = open_content(message, sender, state.messages, RatchetLimits())
            found = opened.content.content
        case other:
            msg = f"a {type(other).__name__} holds no Commit"
            raise TypeError(msg)
    assert isinstance(found, Commit)
    return found
