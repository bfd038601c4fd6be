"""Who serves a request: ordered candidates, as pure functions."""
