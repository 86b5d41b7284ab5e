"""Random walks: a group of three implementations, and two hundred steps with it."""
