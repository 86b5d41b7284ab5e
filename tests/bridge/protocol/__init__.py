"""The room protocol's bytes."""
