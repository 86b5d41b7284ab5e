"""The ratchet tree: public, private, and what moves between them (RFC 9420, sections 4 and 7)."""
