"""Killing processes under traffic: whatever dies at whatever moment, every message arrives once with everybody."""
