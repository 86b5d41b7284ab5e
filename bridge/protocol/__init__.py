"""The room protocol's bytes: envelopes, seals, the order extension, identities, numbers to compare (PROTOCOL.md).

Nothing here holds a secret or knows a group's state: relay and sequencer use it as members do.
"""
