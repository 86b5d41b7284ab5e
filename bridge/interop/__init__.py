"""The MLS working group's test interface (gRPC `MLSClient`), answered by our engine."""
