"""Three friends, one group: the engine's whole life in one sitting.

The room is a list: whatever is posted, everyone sees in the same order, the sender too. That is all that MLS asks
of the network, and it is what a chat room is.
"""

from __future__ import annotations

import time
from typing import TypeVar

import mls

Output = TypeVar("Output")

NOW = int(time.time())
# In earnest, give it an AuthenticationService of your own: one that knows whom a key belongs to.
ENVIRONMENT = mls.Environment(mls.UnsafeTrustEveryone())


class Friend:
    """A bot: it keeps its group's state, and does what must be done in the order in which it must be done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client = mls.Client.basic(name.encode(), ENVIRONMENT.random)
        self.key_package = mls.create_key_package(self.client, ENVIRONMENT, lifetime=mls.lifetime_of_days(90, now=NOW))
        self._state: mls.GroupState | None = None

    @property
    def state(self) -> mls.GroupState:
        assert self._state is not None, f"{self.name} is in no group"
        return self._state

    def take(self, step: mls.Transition[Output]) -> Output:
        """Store the state, wipe what is spent, and only then let the output go."""
        self._state = step.state  # a real bot writes it to disk here: see mls.persistence
        mls.wipe(step.spent)
        return step.output

    def hear(self, message: bytes) -> mls.MLSMessage | None:
        """Take in what the room shows. Returns a Welcome where one is to be sent."""
        match self.take(mls.process(self.state, ENVIRONMENT, message, now=NOW)):
            case mls.ApplicationMessage(sender_leaf=leaf, data=data):
                print(f"    {self.name} reads from {name_of(leaf.credential)}: {data.decode()}")
            case mls.Committed(changes=changes, epoch=epoch, removed_us=removed_us, welcome=welcome):
                for change in changes:
                    match change:
                        case mls.MemberAdded(leaf=leaf):
                            print(f"    {self.name} sees {name_of(leaf.credential)} come in, epoch {epoch}")
                        case mls.MemberRemoved(leaf=leaf):
                            print(f"    {self.name} sees {name_of(leaf.credential)} go, epoch {epoch}")
                        case mls.MemberUpdated(leaf=leaf):
                            print(f"    {self.name} sees fresh keys of {name_of(leaf.credential)}, epoch {epoch}")
                if removed_us:
                    print(f"    {self.name} is out, and can read nothing from now on")
                return welcome
            case mls.ProposalReceived():
                print(f"    {self.name} keeps a proposal in mind")
            case mls.OwnMessage():
                pass  # one's own words, come back: the room has them
        return None


def name_of(credential: object) -> str:
    """Return the name in a basic credential."""
    identity = getattr(credential, "identity", b"somebody")
    return str(identity.decode())


def post(room: list[Friend], message: mls.MLSMessage) -> mls.MLSMessage | None:
    """Show a message to everyone in the room, as the network would: as bytes."""
    data = message.encode()
    print(f"    ({len(data)} bytes travel)")
    return next((welcome for friend in room if (welcome := friend.hear(data))), None)


def main() -> None:
    """Create, add, talk, refresh, leave, export."""
    alice, bob, carol = Friend("Alice"), Friend("Bob"), Friend("Carol")

    print("Alice starts a group.")
    lifetime = mls.lifetime_of_days(90, now=NOW)
    alice.take(mls.create(alice.client, ENVIRONMENT, group_id=b"tea on sunday", lifetime=lifetime))

    print("She adds Bob and Carol, by the KeyPackages that they have published.")
    published = [bob.key_package.message.encode(), carol.key_package.message.encode()]
    step = mls.add(alice.state, ENVIRONMENT, published, now=NOW)
    welcome = post([alice], alice.take(step).message)
    assert welcome is not None
    for friend in (bob, carol):
        friend.take(mls.join(ENVIRONMENT, welcome.encode(), [friend.key_package]))
    room = [alice, bob, carol]

    print("They talk.")
    post(room, alice.take(mls.protect(alice.state, ENVIRONMENT, b"Tea on Sunday?")))
    post(room, carol.take(mls.protect(carol.state, ENVIRONMENT, b"I bring the cake.")))

    print("Bob refreshes his keys: whoever stole the old ones is locked out.")
    post(room, bob.take(mls.commit(bob.state, ENVIRONMENT, now=NOW)).message)

    print("All three derive the same secret, and the same number to compare.")
    secrets = {mls.export(friend.state, "a shared secret", b"", 16) for friend in room}
    numbers = {friend.state.epoch_authenticator for friend in room}
    assert len(secrets) == len(numbers) == 1

    print("Carol leaves. Somebody else must commit that, for who commits knows the next key.")
    post(room, carol.take(mls.leave(carol.state, ENVIRONMENT)))
    post(room, alice.take(mls.commit(alice.state, ENVIRONMENT, now=NOW)).message)
    assert carol.state.status is mls.Status.REMOVED

    print("The others go on, and Carol cannot follow.")
    secret = alice.take(mls.protect(alice.state, ENVIRONMENT, b"A surprise party for Carol, then.")).encode()
    bob.hear(secret)
    try:
        mls.process(carol.state, ENVIRONMENT, secret, now=NOW)
    except mls.WrongEpochError as refusal:
        print(f"    Carol: {refusal}")
    else:
        raise AssertionError("Carol could read on")


if __name__ == "__main__":
    main()
