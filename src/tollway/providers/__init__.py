"""Upstream providers as records, one file each."""
