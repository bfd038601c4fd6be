"""Security events: a log line for each change that no organization's audit log tells, because it is about no
organization: of what is a user's own, and of users by administrators. Source: catalog-and-clients E.2.

It says who did what, with which key, to which id and when; neither what was entered nor an e-mail address.
"""

from typing import Final

from fastapi import Request

from tollway.identity.caller import Caller
from tollway.observability.logs import get_log

EVENT: Final = "security_event"

_log = get_log()


def note_change(request: Request, action: str, caller: Caller) -> None:
    """`action`: what the route does, such as `create_key`. `about`: the ids that the path names."""
    about = [text for text in request.path_params.values() if isinstance(text, str) and "@" not in text]
    _log.info(
        EVENT,
        action=action,
        user=caller.user_id,
        key=caller.key_id,
        about=about,
        request_id=request.state.request_id,
    )
