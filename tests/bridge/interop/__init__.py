"""Tests of the interoperability interface: each call over real gRPC, and as lines on a pipe."""
