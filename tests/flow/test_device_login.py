"""Logging in at a Tollway by a code, both sides of it real: the command on a terminal, and the page of the gateway.

Source: catalog-and-clients B.12, D.3.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flow.accounts import Account, Accounts
from flow.machine import Machine
from flow.management import Desk
from flow.programs import Gateway
from flow.raw import ask, get
from flow.terminal import INTERRUPT, Terminal
from tollway import __version__
from tollway.http.device_login import CODES
from tollway.identity.caller import Role

# As much of a browser as the page asks for: what it looks up, with what it does to it. Told as JSON: what is shown,
# what has the focus, and what was asked of the gateway.
BROWSER = """
const [script, origin, search, key, buttons] = JSON.parse(process.argv[1]);
let focused = "";
const asked = [];
const element = (name, more) => ({
  textContent: "", hidden: false, listeners: {}, ...more,
  addEventListener(kind, listener) { this.listeners[kind] = listener },
  focus() { focused = name },
});
const code = element("code", { value: "" });
const form = element("form", { elements: { code, key: element("key", { value: key }) } });
const elements = { form, section: element("section", { hidden: true }) };
for (const name of ["#request", "#agent", "#address", "[role=status]", "[value=approve]", "[value=deny]"])
  elements[name] = element(name);
const fetched = (path, request) => {
  asked.push(`${request.method} ${path}`);
  return fetch(new URL(path, origin + "/device-auth"), request);
};
const document = { querySelector: (selector) => elements[selector] };
new Function("document", "location", "fetch", script)(document, { search }, fetched);
const states = [];
const show = () => states.push({
  agent: elements["#agent"].textContent, address: elements["#address"].textContent,
  status: elements["[role=status]"].textContent, code: code.value, focused,
  steps: [!form.hidden, !elements.section.hidden], asked: asked.splice(0),
});
show();
for (const button of buttons) {
  if (button === "continue") await form.listeners.submit({ preventDefault() {} });
  else await elements[`[value=${button}]`].listeners.click();
  show();
}
console.log(JSON.stringify(states));
"""
APPROVED = "Approved. The program goes on by itself."


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


def pressed(gateway: Gateway, url: str, key: str, *buttons: str) -> list[Any]:
    """How the page is at first and after each button that is pressed there; the path of `url`, at this gateway."""
    target = urlsplit(url)
    page = ask(gateway, get(f"{target.path}?{target.query}"))
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page.body.decode(), re.DOTALL)
    told = json.dumps([script, gateway.url, f"?{target.query}", key, buttons])
    command = ["node", "--input-type=module", "--eval", BROWSER, told]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    states: list[Any] = json.loads(ended.stdout)
    return states


def test_a_person_approves_it_on_the_page(tmp_path: Path, gateway: Gateway, desk: Desk, account: Account) -> None:
    machine = Machine(tmp_path)
    desk.organization((account, Role.MEMBER))
    terminal, url = begun(machine, gateway)
    *_, refused = pressed(gateway, url, "tw_live_wrong", "continue", "approve")
    assert (refused["status"], refused["steps"], refused["asked"]) == ("This key is not accepted.", [True, False], [])
    *_, shown, approved = pressed(gateway, url, f" {account.key} ", "continue", "approve")
    assert (shown["agent"], shown["address"]) == (f"tollway/{__version__}", "127.0.0.1")
    assert approved["status"] == APPROVED
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
    *_, denied = pressed(gateway, url, account.key, "continue", "deny")
    assert (denied["status"], denied["steps"]) == ("Denied.", [False, False])
    terminal.expect("the login was denied")
    assert (terminal.end(), machine.store.exists()) == (1, False)


def test_a_person_sees_who_asks_before_they_decide(gateway: Gateway, desk: Desk, account: Account) -> None:
    hostile = "<img src=x onerror=alert(1)> at 192.0.2.1"
    began = desk.call(None, "POST", CODES, headers={"User-Agent": hostile}).json
    code, url = began["code"], began["verificationUrl"]
    first, early, shown, approved, again = pressed(
        gateway, url.replace(code, code.lower()), account.key, "approve", "continue", "approve", "approve"
    )
    assert (first["code"], first["focused"], first["steps"], first["asked"]) == (code.lower(), "key", [True, False], [])
    assert early == first, "there is nothing to approve yet"
    assert (shown["agent"], shown["address"], shown["status"]) == (hostile, "127.0.0.1", "")
    assert (shown["steps"], shown["focused"]) == ([False, True], "#request")
    assert shown["asked"] == [f"GET api/device-auth/requests/{code}"]
    assert (approved["status"], approved["steps"], approved["focused"]) == (APPROVED, [False, False], "[role=status]")
    assert approved["asked"] == ["POST api/device-auth/tokens"]
    assert again == {**approved, "asked": []}


def test_a_code_that_cannot_be_decided_leads_back_to_the_first_step(
    gateway: Gateway, desk: Desk, account: Account
) -> None:
    organization = desk.organization((account, Role.OWNER))
    token = desk.call(account, "POST", f"/api/organizations/{organization}/user-tokens").json["token"]
    began = desk.call(None, "POST", CODES).json
    url = began["verificationUrl"]
    *_, shown, refused = pressed(gateway, url, token, "continue", "approve")
    assert (shown["agent"], shown["steps"]) == ("nothing", [False, True])
    assert (refused["steps"], refused["focused"]) == ([True, False], "code")
    assert refused["status"]
    *_, denied = pressed(gateway, url, account.key, "continue", "deny")
    assert denied["status"] == "Denied."
    *_, late = pressed(gateway, url, account.key, "continue")
    assert (late["status"], late["steps"]) == ("This code is not waiting any more", [True, False])
    without, away = pressed(gateway, urlsplit(url).path, account.key, "continue")
    assert (without["code"], without["focused"]) == ("", "code")
    assert away["status"]


def test_who_waits_may_leave(tmp_path: Path, gateway: Gateway) -> None:
    terminal, _ = begun(Machine(tmp_path), gateway)
    terminal.type(INTERRUPT)
    assert terminal.end() in (1, 130)
    assert "Traceback" not in terminal.shown
