"""Tests of the configuration: files as people write them, and what they are told about them."""
