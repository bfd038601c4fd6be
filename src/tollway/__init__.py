"""Tollway: a self-hosted LLM gateway. Start reading at `gateway/pipeline.py`."""

__version__ = "0.1.0"
