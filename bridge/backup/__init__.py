"""Backups: who one is, whom one trusts and, where that is wanted, what was said. Never what opens messages.

What is in one, and why not more, is in `bridge.backup.entries`; the file's bytes, in `bridge.backup.sealed_file` and
docs/backup.md.
"""
