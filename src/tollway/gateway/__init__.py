"""One request, top to bottom; read `pipeline.py` first."""
