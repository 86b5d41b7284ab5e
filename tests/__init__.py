"""The tests. They mirror the packages they test, and share helpers as modules of this package."""
