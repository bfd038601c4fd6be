"""Logs, metrics and what must never appear in them."""
