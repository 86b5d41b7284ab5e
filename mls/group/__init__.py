"""Groups: their states, and every step from one to the next (RFC 9420, sections 11, 12 and 15)."""
