"""Vectors of request-path, "Provider hashes and cache keys", made with the salt and peppers of `kilo`."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tollway.billing.particulars import NO_PARTICULARS
from tollway.catalog.preset import Preset
from tollway.gateway.context import Contexts
from tollway.gateway.reply import Reply
from tollway.gateway.stages import send_upstream
from tollway.providers.user_hashes import CUSTOM, UserHashes, hash_payload
from tollway.routing.plan import Plan
from tollway.storage.presets import load_preset
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import CALLER, HOLD, FakeUpstreams, answers, body_of, candidate, exchange, model, services

HASHES = UserHashes(load_preset("kilo").identity, "never needed")
ANSWER = {"id": "a", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("provider", "payload", "expected"),
    [
        pytest.param("openrouter", "user123", "3Usck56RuNSkCJnLE4Oh0VswR20fSuOGPa1J0Vo3VQY=", id="request:PH1"),
        pytest.param("vercel", "user123", "H4Oa9evXlm/Dcw4wz/tpDUzNPU5F3swr7L3UBeAhfHo=", id="request:PH2"),
        pytest.param("gigapotato", "user123", "hKRIrM8lc5kgq43Y6i0TgimdWPp/N7wjkZGwCpaVavU=", id="request:PH3"),
        pytest.param("corethink", "user123", "TD6loSeTnVq3VRpMxhMMY+bU/vZAN+kobWLfCP80S4c=", id="request:PH4"),
        pytest.param("mistral", "user123", "jMg05qwdm8Yl+61/MJXaE5Z/lSw2r/r3rk5qNM+22cA=", id="request:PH5"),
        pytest.param("fastrouter", "user123", "M3IsJ9YMjioW3UEz2JGFTH/buSijb/6drnDK6JK3hHo=", id="request:PH6"),
        pytest.param("openrouter", "anon:1.2.3.4", "ZEPp0w/akeWClfhAJIVUlv5c/RqWdFSkeLJNjl2rNkQ=", id="request:PH14"),
    ],
)
def test_upstreams_have_peppers_of_their_own(provider: str, payload: str, expected: str) -> None:
    assert HASHES.user(provider, "https://of.no.use", payload) == expected


@pytest.mark.parametrize(
    "by_address",
    [
        pytest.param(
            {"https://custom.example.com/v1": "JPSl+axGyCtOpdPz8IXCua4GkTZtGVlJpX+Z0/2i5jI="}, id="request:PH7"
        ),
        pytest.param(
            {
                "https://a.example.com": "/+FeA7B8cblFYEo0pI5NMv6gr4cQpRXjOV79YLpEBXQ=",
                "https://b.example.com": "duY/PEcwVy/j3AmLsEdLkhBb6caD5d5n9qe9uIKaHH8=",
            },
            id="request:PH8",
        ),
    ],
)
def test_the_pepper_of_a_custom_upstream_is_its_address(by_address: dict[str, str]) -> None:
    assert {url: HASHES.user(CUSTOM, url, "user123") for url in by_address} == by_address


@pytest.mark.parametrize(
    ("pepper", "expected"),
    [pytest.param("custom", "MmGRsVV+ipHqm376No1klEomixtPvuBIQWIgNAMd6EU=", id="request:PH9")],
)
def test_the_literal_pepper_of_old(pepper: str, expected: str) -> None:
    """The formula is the same; the pepper is what has changed since."""
    assert hash_payload(load_preset("kilo").identity.hash_salt, pepper, "user123") == expected
    assert HASHES.user(CUSTOM, "https://custom.example.com/v1", "user123") != expected


def sent(to: str = "openrouter", headers: dict[bytes, bytes] | None = None, **body: object) -> dict[str, Any]:
    """What an upstream is sent for `user-1`."""
    one, upstreams = exchange(body_of(**body), headers), FakeUpstreams(answers(200, ANSWER))
    one.particulars = NO_PARTICULARS
    one.context = Contexts(Preset()).read(one.inbound.headers, one.inbound.path)
    one.request = parse_chat(one.inbound.body)
    one.caller, one.model, one.hold = replace(CALLER, user_id="user-1"), model(), HOLD
    one.prepared, one.plan = one.request.body, Plan((candidate(to),), 100, 100)
    reply = asyncio.run(send_upstream.run(one, services(client=upstreams, user_hashes=HASHES)))
    assert isinstance(reply, Reply)
    decoded: dict[str, Any] = json.loads(upstreams.sent[0][2])
    return decoded


@pytest.mark.parametrize("expected", [pytest.param("srVKY/cN7y6e5OqWpw8ARJgnM80m8oTYnGb+0bNvH/o=", id="request:PH10")])
def test_what_the_client_says_about_the_user_is_replaced(expected: str) -> None:
    body = sent(user="mine", safety_identifier="x")
    assert (body["user"], body["safety_identifier"]) == (expected, expected)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        pytest.param("openrouter", "MAfTh1mSVBEXn47oq1r0vb297CRBd4jCUOFM3w/naEU=", id="request:PH11"),
        pytest.param("vercel", "m7b1Pe97PH39h0OSYTo+ne7eIF+Q1p4IW9NJR4A0CtM=", id="request:PH12"),
    ],
)
def test_cache_keys(provider: str, expected: str) -> None:
    assert HASHES.prompt_cache_key(provider, "", "user-1", "task-123") == expected
    for header in (b"x-kilocode-taskid", b"x-tollway-taskid"):
        assert sent(provider, {header: b"task-123"}, prompt_cache_key="mine")["prompt_cache_key"] == expected


@pytest.mark.parametrize("key", [pytest.param("mine", id="request:PH13")])
def test_without_a_task_the_clients_cache_key_stays(key: str) -> None:
    assert sent(prompt_cache_key=key)["prompt_cache_key"] == key
