"""Interoperability: scenarios that several implementations play together, each one through the same interface."""
