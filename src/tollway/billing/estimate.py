"""Token counts where none are reported: an upper bound for holds, a lower bound for charges.

Nobody but the upstream knows its tokenizer, so both are plain arithmetic on bytes, erring in the caller's favour when
charging and in the operator's when holding. Source: guarantees M2, M3, M5.
"""

from typing import Final

from tollway.wire.usage import Usage

HELD_BYTES_PER_TOKEN: Final = 2
HELD_TOKENS_PER_MESSAGE: Final = 8
HELD_TOKENS_PER_REQUEST: Final = 64
CHARGED_BYTES_PER_TOKEN: Final = 8


def prompt_tokens_max(body_text_bytes: int, messages: int) -> int:
    """An upper bound of the prompt tokens of a request, for its hold.

    body_text_bytes: UTF-8 bytes of all text in the request: messages, tools, schemas. messages: how many there are.

    The only bound that always holds is one token per byte, four times what text needs; it would refuse requests that an
    account can pay. Two bytes per token is above every usual text (English prose 4–5, code 3–4, digits and symbols
    2–3, Chinese 2–3). The rest covers role marks and a preamble. Text made to be dearer exceeds the hold by at most
    this factor of two, which is the one partly covered request that guarantees M2 allows for.
    """
    text = -(-body_text_bytes // HELD_BYTES_PER_TOKEN)
    return text + HELD_TOKENS_PER_MESSAGE * messages + HELD_TOKENS_PER_REQUEST


def estimate_usage(prompt_text_bytes: int, deltas: int, text_bytes: int = 0) -> Usage:
    """The least an answer can have used, from what passed: what is charged until the upstream says more.

    deltas: events with a piece of output; each holds at least one token, so their number never exceeds what was
    generated. text_bytes: UTF-8 bytes of a non-streaming answer's output. Prompt and such output are counted as one
    token per eight bytes, half of what usual text needs (upstreams merge long runs, of spaces say, into one token).
    """
    completion_tokens = max(deltas, text_bytes // CHARGED_BYTES_PER_TOKEN)
    return Usage(prompt_text_bytes // CHARGED_BYTES_PER_TOKEN, completion_tokens)
