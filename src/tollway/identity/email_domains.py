"""E-mail domains whose users are refused. Source: request-path 6.2.5."""


def read_domains(text: str) -> tuple[str, ...]:
    """The entries of `a.com| b.org `, trimmed and lower-cased; empty ones match nothing and are dropped."""
    entries = (entry.strip().lower() for entry in text.split("|"))
    return tuple(entry for entry in entries if entry)


def is_blocked(email: str, domains: tuple[str, ...]) -> bool:
    """Whether the address ends with `@domain` or `.domain` of any of `domains` (as `read_domains` gives them)."""
    address = email.lower()
    return any(address.endswith((f"@{domain}", f".{domain}")) for domain in domains)
