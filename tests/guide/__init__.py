"""What the tests of docs/setup.md need of a machine."""
