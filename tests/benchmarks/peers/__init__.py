"""What the engine costs beside other implementations, on the same machine in the same run: `make bench-peers`."""
