"""The front end of `mls-bridge chat`: a person's terminal, and JSON lines for programs."""
