"""The whole program: members, relay, sequencer, store and transports together."""
