"""The engine behind the interface, with one of the RFC's labels misspelt: `python -m ... LABEL interop --port 0`.

Nothing that is ours notices: whoever misspells a label derives, signs and hashes the same as everybody who does.
"""

from __future__ import annotations

import sys

from bridge.cli import main
from mls.codec import encode_opaque
from mls.crypto import suite

__all__ = ["misspell"]


def misspell(label: str) -> None:
    """Let the engine take another label where it should take this one."""
    right, wrong = f"MLS 1.0 {label}".encode(), f"MLS 1.0 not {label}".encode()

    def encode(data: bytes | bytearray) -> bytes:
        return encode_opaque(wrong if data == right else data)

    vars(suite)["encode_opaque"] = encode


if __name__ == "__main__":
    misspell(sys.argv.pop(1))
    main()
