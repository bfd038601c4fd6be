from tollway.providers.corethink import leave_unknown
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt


def test_what_it_knows_stays() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "user": "u", "provider": {}, "reasoning": {"effort": "low"}}
    draft = Draft(body)
    assert leave_unknown(draft, attempt()) is draft


def test_a_changed_message_is_a_copy() -> None:
    message = {"role": "assistant", "content": "x", "reasoning": "r"}
    sent = leave_unknown(Draft({"messages": [message, "odd"]}), attempt()).body
    assert sent == {"messages": [{"role": "assistant", "content": "x"}, "odd"]}
    assert "reasoning" in message
