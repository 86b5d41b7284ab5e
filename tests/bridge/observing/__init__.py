"""Tests of what the program tells about itself."""
