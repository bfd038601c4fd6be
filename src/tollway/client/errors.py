"""What stops a command of the client: one line for people, which names files and settings and never their secrets."""


class ClientError(Exception):
    """The text is shown as it stands."""
