"""Alerts about models that fail or are slow."""
