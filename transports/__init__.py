"""Chat rooms as ordered streams of opaque envelopes: on Matrix, on XMPP, and in memory.

`transports.room` is the interface, `transports.errors` what can go wrong. The bytes in an envelope mean nothing here.
"""
