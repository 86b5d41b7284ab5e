"""The service runtime over a real database and rooms in memory."""
