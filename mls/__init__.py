"""MLS (RFC 9420) in Python: pure, synchronous, immutable states."""

from __future__ import annotations

from mls.crypto.suite import CipherSuite, cipher_suite
from mls.group.committing import CommitOptions, commit
from mls.group.creation import Client, create_group, create_key_package, default_capabilities
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.messaging import export, leave, propose, propose_update, protect
from mls.group.processing import process
