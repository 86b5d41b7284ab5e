"""The table of RFC 9420's requirements: what each one is proven by, or why by nothing."""
