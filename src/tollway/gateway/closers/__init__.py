"""What runs once at the end of every request."""
