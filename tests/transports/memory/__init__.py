"""Tests of `transports.memory`."""
