"""Free models at a provider whose Responses API serves them (response-path 5.1, request-path 8.5.3)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.accounts import Accounts
from flow.conversation import ask
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import usage_of
from flow.vendors import KEY, SAID, THOUGHT, ResponsesVendor, running

PRESET = """
[[hosted_models]]
public_id = "martian/free"
internal_id = "vendor/model"
gateway = "martian"
context_length = 100_000
completion_tokens_max = 1_000
"""
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def vendor() -> Iterator[ResponsesVendor]:
    vendor = ResponsesVendor(demands_reasoning=True)
    with running(vendor):
        yield vendor


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory, sim: Sim, vendor: ResponsesVendor) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("hosting")
    (folder / "preset.toml").write_text(PRESET)
    martian = f'\n[providers.martian]\nbase_url = "{vendor.url}"\napi_key = "{KEY}"\n'
    settings = settings_for(folder, sim.url, top=f'preset = "{folder}/preset.toml"') + martian
    program = Gateway(folder, settings)
    yield program
    program.stop()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_free_model_is_translated(hosting: Gateway, vendor: ResponsesVendor, stream: bool) -> None:
    accounts = Accounts(hosting.config)
    account = accounts.create(0)
    body = {"model": "martian/free", "messages": [{"role": "user", "content": "hi"}], "tools": TOOLS, "stream": stream}
    answer = ask(hosting, account, body)
    assert answer.status == 200
    assert vendor.wrong == []
    assert (vendor.bodies[-1]["model"], vendor.bodies[-1]["reasoning"]) == ("vendor/model", {"summary": "auto"})
    if stream:
        assert answer.text == SAID
        assert b"vendor/model" not in answer.body
    else:
        message = answer.json["choices"][0]["message"]
        assert (answer.json["model"], message["content"], message["reasoning"]) == ("martian/free", SAID, THOUGHT)
    (row,) = usage_of(accounts, account)
    assert (row.basis, row.cost, row.completion_tokens) == ("free", 0, 7)
