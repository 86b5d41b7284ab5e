"""What the program tells about itself: logs, metrics, health. No content, no full identifiers."""

__all__: list[str] = []
