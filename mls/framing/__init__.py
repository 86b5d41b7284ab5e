"""Message framing (RFC 9420, section 6): from content to what travels, and back."""
