"""Translators between Chat Completions and the other dialects that upstreams and clients speak. Pure, no I/O."""
