"""A group's order: the sequencer that signs it, and the member's walk along it.

The sequencer knows no state of a group: `bridge.order.sequencer` and what it imports never see a member's key.
"""
