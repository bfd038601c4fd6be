"""One file per step of a request; their order is in `pipeline.py`."""
