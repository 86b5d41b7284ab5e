"""Every struct of RFC 9420, declared once."""
