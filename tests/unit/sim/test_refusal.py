"""Refusals in OpenRouter's shape."""

import json

from tollway.sim.refusal import Refusal, encode_refusal, status_phrase


def test_shape() -> None:
    assert json.loads(encode_refusal(Refusal(402, "no credits"))) == {"error": {"code": 402, "message": "no credits"}}


def test_phrases() -> None:
    assert status_phrase(404) == "Not Found"
    assert status_phrase(529) == "Unknown"
