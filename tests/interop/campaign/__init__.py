"""The campaign: every script with every peer in every seat, and random walks with all of them, in one table."""
