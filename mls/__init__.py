"""MLS, the Messaging Layer Security protocol (RFC 9420): an engine that is pure, synchronous and immutable.

Every step is a function: it takes a state and gives a `Transition`, with the next state, what the step put out, and
the secrets that are spent. Store the state, wipe the secrets, then send the output; in this order nothing is ever
lost or used twice. The engine does no I/O and reads no clock: `now` is seconds since 1970, messages are bytes.

>>> import mls
>>> env = mls.Environment(mls.UnsafeTrustEveryone())
>>> alice = mls.Client.basic(b"alice", env.random)
>>> group = mls.create(alice, env, group_id=b"tea", lifetime=mls.lifetime_of_days(90, now=0)).state
>>> group.epoch
0

==================  =====================================================================================
to                  call
==================  =====================================================================================
start               `Client.basic`, `create`
be added            `create_key_package`, publish it; `join` with the Welcome that answers
add and remove      `add`, `remove`, `leave`
talk                `protect`, and `process` for everything that comes in
refresh one's keys  `commit` without proposals
do anything else    `propose`, `commit`, `group_info`, `join_externally`, `branch`, `reinitialize`
use the group's key `export`, `GroupState.epoch_authenticator`
keep states         `mls.persistence`: `changes`, `load`; `expire` now and then
change one's mind   `leave_behind`, `come_back`, `forget`: an epoch that may turn out never to have been
try post-quantum    `EXPERIMENTAL_CIPHER_SUITES`; `experimental=True` wherever a suite is chosen or loaded
==================  =====================================================================================

`process` returns one of `ApplicationMessage`, `Committed`, `ProposalReceived`, `OwnMessage`: tell them apart with
`match`. What goes wrong is an `MlsError` (`mls.errors`); the state that went in is as it was.
"""

from __future__ import annotations

from mls.crypto.random import system_random
from mls.crypto.secret import Secret, wipe
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES, CipherSuite, cipher_suite
from mls.errors import (
    AuthenticationError,
    DecodeError,
    ExhaustedError,
    InternalError,
    MissingError,
    MlsError,
    RuleError,
    UsageError,
    ValidationError,
    WrongEpochError,
    WrongGroupError,
)
from mls.group.authentication import AuthenticationService, UnsafeTrustEveryone
from mls.group.committing import CommitOptions, CommitOutput, commit
from mls.group.creation import (
    Client,
    KeyPackageBundle,
    create_key_package,
    default_capabilities,
    lifetime_of_days,
)
from mls.group.creation import create_group as create
from mls.group.environment import Environment, Limits, ProposalList, ProposalRules, Proposed
from mls.group.epoch import expire
from mls.group.external import ExternalJoin, join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.membership import add, remove
from mls.group.messaging import (
    drop_proposals,
    export,
    external_proposal,
    leave,
    new_member_proposal,
    propose,
    propose_add,
    propose_update,
    protect,
)
from mls.group.processing import foresee, own_message, process
from mls.group.received import (
    ApplicationMessage,
    Change,
    Committed,
    Foreseen,
    Joined,
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    OwnMessage,
    ProposalReceived,
    Received,
)
from mls.group.returning import come_back, forget, leave_behind, spent_unless_kept
from mls.group.state import GroupState, PendingCommit, Status, Transition
from mls.group.successors import branch, reinitialize
from mls.registry import WireFormat
from mls.schedule.secret_tree import RatchetLimits
from mls.wire.message import MLSMessage

__all__ = [
    "CIPHER_SUITES",
    "EXPERIMENTAL_CIPHER_SUITES",
    "ApplicationMessage",
    "AuthenticationError",
    "AuthenticationService",
    "Change",
    "CipherSuite",
    "Client",
    "CommitOptions",
    "CommitOutput",
    "Committed",
    "DecodeError",
    "Environment",
    "ExhaustedError",
    "ExternalJoin",
    "Foreseen",
    "GroupState",
    "InternalError",
    "Joined",
    "KeyPackageBundle",
    "LeafChanges",
    "Limits",
    "MLSMessage",
    "MemberAdded",
    "MemberRemoved",
    "MemberUpdated",
    "MissingError",
    "MlsError",
    "OwnMessage",
    "PendingCommit",
    "ProposalList",
    "ProposalReceived",
    "ProposalRules",
    "Proposed",
    "RatchetLimits",
    "Received",
    "RuleError",
    "Secret",
    "Status",
    "Transition",
    "UnsafeTrustEveryone",
    "UsageError",
    "ValidationError",
    "WireFormat",
    "WrongEpochError",
    "WrongGroupError",
    "add",
    "branch",
    "cipher_suite",
    "come_back",
    "commit",
    "create",
    "create_key_package",
    "default_capabilities",
    "drop_proposals",
    "expire",
    "export",
    "external_proposal",
    "foresee",
    "forget",
    "group_info",
    "join",
    "join_externally",
    "leave",
    "leave_behind",
    "lifetime_of_days",
    "new_member_proposal",
    "own_message",
    "process",
    "propose",
    "propose_add",
    "propose_update",
    "protect",
    "reinitialize",
    "remove",
    "spent_unless_kept",
    "system_random",
    "wipe",
]
