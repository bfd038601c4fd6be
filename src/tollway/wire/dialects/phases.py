"""Keys of assistant messages' phases: how a message is found again that comes back without the mark OpenAI gave it.

Source: response-path 5.9.
"""

from collections.abc import Sequence
from hashlib import sha256


def phase_key(user_id: str, task_id: str | None, texts: Sequence[str]) -> str:
    """Lower-case hex SHA-256 of who asked, in which task, and the texts of the message's parts, joined by bars.

    Bars in texts are not escaped: ["a", "b"] and ["a|b"] share a key, which the page accepts.
    """
    return sha256("|".join((user_id, task_id or "", *texts)).encode()).hexdigest()
