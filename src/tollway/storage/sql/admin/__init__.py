"""The administration's store: one file per subject, put together in `store.py`."""
