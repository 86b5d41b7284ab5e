"""Tests of `bridge.relay`."""
