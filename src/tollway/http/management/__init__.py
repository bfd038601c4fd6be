"""The management API: one file per subject; who may call what stands in `table.py`."""
