from hypothesis import given
from hypothesis import strategies as st

from tollway.client.freshness import FRESH_S, RETRY_S_MAX, Kept, list_id, list_prefix
from unit.client.fakes import gateways

PAUSES = [5, 10, 20, 40, 80, 160, 300, 300]


def test_five_minutes() -> None:
    kept = Kept({}, 1_000)
    assert kept.is_fresh(1_000 + FRESH_S)
    assert not kept.is_fresh(1_000 + FRESH_S + 0.1)


def test_pauses_double_up_to_five_minutes() -> None:
    kept = Kept({}, 0)
    assert kept.may_retry(0)
    for pause in PAUSES:
        kept = kept.after_failure(100)
        assert not kept.may_retry(100 + pause - 0.1)
        assert kept.may_retry(100 + pause)
    assert kept.fetched_at == 0, "a failure makes nothing younger"


@given(st.integers(1, 10**6), st.floats(0, 10**6))
def test_however_often_it_failed_it_is_asked_again(failures: int, at: float) -> None:
    assert Kept({}, 0, failures, at).may_retry(at + RETRY_S_MAX + 1)


def test_another_account_has_another_list() -> None:
    def of(key: str, base: str = "https://a.example", organization: str = "") -> str:
        tree = {"provider": {"tollway": {"options": {"baseURL": base, "apiKey": key}}}}
        return list_id(gateways(tree, {"TOLLWAY_ORG_ID": organization})["tollway"])

    ids = {of("sk-a"), of("sk-b"), of(""), of("sk-a", "https://b.example"), of("sk-a", organization="o")}
    assert len(ids) == 5
    assert of("sk-a") == of("sk-a")
    assert all(one.startswith(list_prefix("tollway")) and "sk-" not in one for one in ids)
    assert list_prefix("a/../b").replace("-", "").isalnum()
