"""What the cipher suites are made of (RFC 9420, section 5; RFC 9180)."""
