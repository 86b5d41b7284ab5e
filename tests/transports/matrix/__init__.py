"""Tests of the Matrix transport."""
