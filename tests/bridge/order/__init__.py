"""Tests of `bridge.order`."""
