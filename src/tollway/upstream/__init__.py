"""Edge out: the only code that calls upstreams."""
