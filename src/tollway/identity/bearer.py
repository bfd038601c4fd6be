"""The credential in an `Authorization` header."""


def read_bearer(header: bytes) -> str:
    """The token of `Bearer <token>`: any case, exactly one space, not empty; else "". Source: request-path 6.1.1."""
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"bearer" or not token or b" " in token:
        return ""
    return token.decode("latin-1")
