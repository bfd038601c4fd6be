from starlette.requests import Request
from structlog.testing import capture_logs

from tollway.http.security_events import EVENT, note_change
from tollway.identity.caller import Caller


def test_it_says_who_did_what_to_which_id_and_no_address() -> None:
    ids = {"user_id": "ann@example.com", "key_id": "k1"}
    request = Request({"type": "http", "path_params": ids, "state": {"request_id": "r1"}})
    with capture_logs() as lines:
        note_change(request, "revoke_key", Caller("ann", "ann@example.com", key_id="k0"))
    told = {"action": "revoke_key", "user": "ann", "key": "k0", "about": ["k1"], "request_id": "r1"}
    assert lines == [{"event": EVENT, "log_level": "info", **told}]
