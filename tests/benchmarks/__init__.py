"""What the engine costs, beside what the bare cryptography would: `make bench`."""
