"""The program `mls-bridge`: composes the MLS engine with rooms on chat networks."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
