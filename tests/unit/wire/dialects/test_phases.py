from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.phases import phase_key

WORDS = st.text(st.characters(exclude_characters="|", exclude_categories=["Cs"]), max_size=5)


@given(WORDS, WORDS, st.lists(WORDS, min_size=1, max_size=3), WORDS, WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_without_bars_no_two_share_a_key(
    user: str, task: str, texts: list[str], other_user: str, other_task: str, other_texts: list[str]
) -> None:
    same = (user, task, texts) == (other_user, other_task, other_texts)
    assert (phase_key(user, task, texts) == phase_key(other_user, other_task, other_texts)) is same


def test_no_task_is_an_empty_one() -> None:
    assert phase_key("u", None, ["a"]) == phase_key("u", "", ["a"])
