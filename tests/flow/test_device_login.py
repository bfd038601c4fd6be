"""Logging in at a Tollway by a code, both sides of it real: the command on a terminal, and the page of the gateway.

Source: catalog-and-clients B.12, D.3.
"""

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from flow.accounts import Account, Accounts
from flow.machine import Machine
from flow.management import Desk
from flow.programs import Gateway
from flow.raw import ask, get
from flow.terminal import INTERRUPT, Terminal
from tollway.identity.caller import Role

# As much of a browser as the page asks for: one form, which is submitted by one of its buttons.
BROWSER = """
const [script, origin, search, key, button] = JSON.parse(process.argv[1]);
const fields = { code: { value: "" }, key: { value: key } }, status = {};
let submit;
const form = { elements: fields, remove() {}, addEventListener: (_, listener) => { submit = listener } };
const document = { querySelector: (selector) => (selector === "form" ? form : status) };
const fetched = (path, request) => fetch(new URL(path, origin + "/device-auth"), request);
new Function("document", "location", "fetch", script)(document, { search }, fetched);
await submit({ preventDefault() {}, submitter: { value: button } });
console.log(status.textContent);
"""


@pytest.fixture
def desk(gateway: Gateway, accounts: Accounts) -> Desk:
    return Desk(gateway, accounts)


def begun(machine: Machine, gateway: Gateway) -> tuple[Terminal, str]:
    """A login that waits, and the address it shows."""
    terminal = machine.terminal("auth", "login", gateway.url, "-p", "tollway", "--no-browser")
    terminal.expect("within 10 minutes.")
    (url,) = re.findall(r"Open (\S+)\n", terminal.shown)
    assert parse_qs(urlsplit(url).query)["code"][0] in terminal.shown
    return terminal, url


def pressed(gateway: Gateway, url: str, key: str, button: str) -> str:
    """What the page says after a button was pressed there; the path of `url`, at this gateway."""
    target = urlsplit(url)
    page = ask(gateway, get(f"{target.path}?{target.query}"))
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page.body.decode(), re.DOTALL)
    told = json.dumps([script, gateway.url, f"?{target.query}", key, button])
    command = ["node", "--input-type=module", "--eval", BROWSER, told]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_a_person_approves_it_on_the_page(tmp_path: Path, gateway: Gateway, desk: Desk, account: Account) -> None:
    machine = Machine(tmp_path)
    desk.organization((account, Role.MEMBER))
    terminal, url = begun(machine, gateway)
    assert pressed(gateway, url, "tw_live_wrong", "approve") != "Approved. The program goes on by itself."
    assert pressed(gateway, url, f" {account.key} ", "approve") == "Approved. The program goes on by itself."
    terminal.expect(f"Logged in as {account.email}.")
    terminal.expect("Account (number): ")
    terminal.type("1\n")
    assert terminal.end() == 0
    token = machine.stored["tollway"]["access"]
    assert (machine.stored["tollway"]["enterpriseUrl"], token != account.key) == (gateway.url, True)
    assert machine.store.stat().st_mode & 0o777 == 0o600
    listed = machine.tollway("auth", "list")
    assert listed.out.splitlines() == [str(machine.store), "Tollway  oauth"]
    assert not {token, account.key} & set(re.split(r"\s", terminal.shown + listed.out + listed.err))
    assert token[-12:] not in terminal.shown + listed.out
    assert "tollway/sim/echo" in machine.tollway("models").out.splitlines()
    before = desk.accounts.spent(account)
    asked = machine.tollway("run", "-m", "tollway/sim/echo", "Say hi")
    assert (asked.code, asked.out) == (0, "Say hi\n")
    spent = desk.accounts.spent(account) - before
    assert f"cost ${spent / 1_000_000:.6f} (said by Tollway)" in asked.err


def test_a_person_denies_it_on_the_page(tmp_path: Path, gateway: Gateway, account: Account) -> None:
    machine = Machine(tmp_path)
    terminal, url = begun(machine, gateway)
    assert pressed(gateway, url, account.key, "deny") == "Denied."
    terminal.expect("the login was denied")
    assert (terminal.end(), machine.store.exists()) == (1, False)


def test_who_waits_may_leave(tmp_path: Path, gateway: Gateway) -> None:
    terminal, _ = begun(Machine(tmp_path), gateway)
    terminal.type(INTERRUPT)
    assert terminal.end() in (1, 130)
    assert "Traceback" not in terminal.shown
