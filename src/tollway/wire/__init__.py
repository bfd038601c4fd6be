"""The protocol: chat bodies, server-sent events, usage. Pure: bytes and values in, values out."""
