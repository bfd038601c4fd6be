"""The credential in an `Authorization` header."""

from typing import Final

NO_CREDENTIAL: Final = b"anonymous"  # what clients that are widely used send where they have none


def read_bearer(header: bytes) -> str:
    """The token of `Bearer <token>`: any case, exactly one space, not empty; else "".

    Source: request-path 6.1.1, catalog-and-clients D.3.5.
    """
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"bearer" or not token or b" " in token or token == NO_CREDENTIAL:
        return ""
    return token.decode("latin-1")
