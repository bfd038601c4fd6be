"""Bounds where no tokens are reported."""

from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.estimate import estimate_usage, prompt_tokens_max
from tollway.wire.usage import Usage

sizes = st.integers(0, 20 << 20)


def test_a_hold_counts_two_bytes_per_token_and_the_marks_around_messages() -> None:
    assert prompt_tokens_max(0, 0) == 64
    assert prompt_tokens_max(1000, 2) == 500 + 16 + 64
    assert prompt_tokens_max(1001, 1) == 501 + 8 + 64


@given(sizes, sizes, st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_bound_never_falls_as_the_request_grows(text: int, more: int, messages: int, added: int) -> None:
    assert prompt_tokens_max(text, messages) <= prompt_tokens_max(text + more, messages + added)


@given(sizes, st.integers(0, 10_000))
def test_what_is_charged_without_a_report_is_below_what_was_held(text: int, messages: int) -> None:
    assert 2 * estimate_usage(text, 0).prompt_tokens <= prompt_tokens_max(text, messages)


def test_output_is_at_least_a_token_per_piece() -> None:
    assert estimate_usage(800, 12) == Usage(100, 12)
    assert estimate_usage(7, 0) == Usage(0, 0)
    assert estimate_usage(0, 1, text_bytes=80) == Usage(0, 10)
    assert estimate_usage(0, 1, text_bytes=5) == Usage(0, 1)
