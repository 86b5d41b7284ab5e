"""What `mls-bridge inspect` says of real bytes, and that no bytes harm it."""
