"""Edge in: bytes to our types and back, no decisions."""
