"""The page lets only what stands in it run, and calls the routes that are there."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tollway.http.device_login import CODES, REQUESTS, TOKENS
from tollway.http.device_page import PATH, add_device_page


@pytest.fixture
def client() -> TestClient:
    api = FastAPI()
    add_device_page(api)
    return TestClient(api)


def test_only_its_own_script_and_style_run(client: TestClient) -> None:
    answer = client.get(PATH, params={"code": '"><script>alert(1)</script>'})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "alert" not in answer.text, "what it is asked with is for the browser alone"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'; ")
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", answer.text, re.DOTALL)
        assert f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    assert not re.search(r'\son\w+="|style="|https?:', answer.text)
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")


def test_it_calls_the_routes_that_are_there(client: TestClient) -> None:
    """Relative to where it is, so that it may lie below a prefix."""
    text = client.get(PATH).text
    assert f'"{TOKENS.lstrip("/")}"' in text
    assert f'"{CODES.lstrip("/")}/"' in text
    assert f'"{REQUESTS.lstrip("/")}/"' in text


def test_what_a_program_says_of_itself_is_text(client: TestClient) -> None:
    """tests/flow/test_device_login.py runs the script."""
    text = client.get(PATH).text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|eval\(|Function\(", text)
    shown = re.sub(r"<[^>]+>", "", re.sub(r'<strong id="(\w+)"></strong>', r"{\1}", text))
    assert "A program that calls itself {agent} at {address} asks to act for you." in shown


def test_nothing_can_be_decided_until_the_request_is_shown(client: TestClient) -> None:
    (form,) = re.findall(r"<form>.*?</form>", (text := client.get(PATH).text), re.DOTALL)
    assert re.findall(r"<button.*?</button>", form) == ["<button>Continue</button>"]
    (request,) = re.findall(r"<section hidden>.*?</section>", text, re.DOTALL)
    assert re.findall(r'<button value="(\w+)">', request) == ["approve", "deny"]
