"""Edge out: the only SQL, cache and file code."""
