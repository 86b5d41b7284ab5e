"""The member's role: steps driven by hand, without a store or a network."""
