"""Tests of the conformance checks: that they pass what is right, and above all that they fail what is not."""
