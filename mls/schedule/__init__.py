"""Schedules: from secrets to keys (RFC 9420, sections 8 and 9)."""
