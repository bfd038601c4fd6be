"""The files in deploy/ fit the program: their settings are settings, and their waits fit into each other."""

import re
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tidy.source import ROOT, repository_files
from tidy.yaml import documents
from tollway.settings import Settings, load

DEPLOY = ROOT / "deploy"
COMPOSE = documents((DEPLOY / "compose.yaml").read_text())[0]
SERVICES: dict[str, Any] = COMPOSE["services"]
NODES = sorted(name for name in SERVICES if name.startswith("tollway-"))
KUBERNETES = {
    (one["kind"], one["metadata"]["name"]): one for one in documents((DEPLOY / "kubernetes/tollway.yaml").read_text())
}
POD = KUBERNETES["StatefulSet", "tollway"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
PAGES = [path for path in repository_files() if path.name == "scale-out.md" or DEPLOY in path.parents]
AFTER_SHUTDOWN_S = 10  # guarantees §7: exit within 130 s where streams may finish for 120
POSTGRES_KEEPS_FREE = 10  # for the operator's commands, and PostgreSQL's own
CONNECTIONS_FOR_LOCKS = 4  # of one worker, beside its pool: work that is done once per deployment


NEEDED_ALIKE = {  # unset, each node makes its own
    "TOLLWAY_DATABASE_URL",
    "TOLLWAY_KEY_PEPPER",
    "TOLLWAY_USER_HASH_SECRET",
    "TOLLWAY_ANON_ID_KEY",
    "TOLLWAY_MASTER_KEYS",
}


def compose_settings() -> Settings:
    """What the nodes of compose.yaml are started with."""
    samples = {"TOLLWAY_MASTER_KEYS": "k1:" + "A" * 43 + "="}

    def fill(text: str) -> str:
        return re.sub(r"\$\{(\w+):[^}]*\}", lambda found: samples.get(found[1], "x" * 40), text)

    return load(Path("/dev/null"), {name: fill(text) for name, text in SERVICES[NODES[0]]["environment"].items()})


def kubernetes_settings() -> Settings:
    return load(Path("/dev/null"), KUBERNETES["ConfigMap", "tollway"]["data"])


def test_every_variable_is_a_setting() -> None:
    """Loading refuses a name that is none."""
    assert compose_settings().instances == len(NODES)
    assert kubernetes_settings().instances == KUBERNETES["StatefulSet", "tollway"]["spec"]["replicas"]


@pytest.mark.parametrize(
    "path",
    [path for path in repository_files() if path.name == "scale-out.md" or DEPLOY in path.parents],
    ids=lambda path: path.name,
)
def test_every_variable_that_is_named_is_a_setting(path: Path) -> None:
    known = set(re.findall(r"`(TOLLWAY_\w+)`", (ROOT / "docs/reference/settings.md").read_text()))
    named = set(re.findall(r"\bTOLLWAY_[A-Z_]*[A-Z]\b", path.read_text()))
    assert named - known <= {"TOLLWAY_PORT"}  # which deploy/kubernetes says is none


def test_each_node_has_a_journal_of_its_own() -> None:
    state = str(compose_settings().state_dir)
    volumes = [one.partition(":") for name in NODES for one in SERVICES[name]["volumes"]]
    assert all(inside == state for _, _, inside in volumes)
    assert len({volume for volume, _, _ in volumes}) == len(NODES)
    assert {volume for volume, _, _ in volumes} <= set(COMPOSE["volumes"])
    claim = KUBERNETES["StatefulSet", "tollway"]["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts[claim] == str(kubernetes_settings().state_dir)


def test_the_second_node_is_as_the_first() -> None:
    assert [SERVICES[name]["extends"]["service"] for name in NODES[1:]] == NODES[:1] * (len(NODES) - 1)
    assert all(set(SERVICES[name]) == {"extends", "volumes", "networks", "depends_on"} for name in NODES[1:])


def test_each_node_has_an_address_that_stays() -> None:
    """nginx looks names up when it starts, and would go on calling whoever has a node's old address."""
    addresses = [SERVICES[name]["networks"]["inside"]["ipv4_address"] for name in ("nginx", *NODES)]
    assert len(set(addresses)) == len(addresses)
    subnet = ip_network(COMPOSE["networks"]["inside"]["ipam"]["config"][0]["subnet"])
    assert all(ip_address(one) in subnet for one in addresses)


def test_only_nginx_is_believed_and_it_knows_every_node() -> None:
    address = SERVICES["nginx"]["networks"]["inside"]["ipv4_address"]
    assert [str(network) for network in compose_settings().trusted_proxies] == [f"{address}/32"]
    configuration = (DEPLOY / "nginx.conf").read_text()
    assert re.findall(r"(?m)^\s*server (\S+):8788 ", configuration) == NODES
    assert "X-Forwarded-For $proxy_add_x_forwarded_for" in configuration


def test_waits_fit_into_each_other() -> None:
    timeouts = compose_settings().timeouts
    stop_s = int(SERVICES[NODES[0]]["stop_grace_period"].removesuffix("s"))
    assert stop_s >= timeouts.shutdown_s + AFTER_SHUTDOWN_S
    pause_s = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert (
        POD["terminationGracePeriodSeconds"] >= pause_s + kubernetes_settings().timeouts.shutdown_s + AFTER_SHUTDOWN_S
    )
    seconds = {name: int(value) for name, value in re.findall(r"(\w+) (\d+)s;", (DEPLOY / "nginx.conf").read_text())}
    assert seconds["proxy_read_timeout"] > timeouts.answer_s
    assert seconds["keepalive_timeout"] < timeouts.keep_alive_s


def test_the_database_has_connections_for_all() -> None:
    settings = compose_settings()
    offered = int(SERVICES["postgres"]["command"][2].removeprefix("max_connections="))
    each = settings.database_pool_size + CONNECTIONS_FOR_LOCKS
    assert settings.instances * settings.workers * each <= offered - POSTGRES_KEEPS_FREE


def test_nothing_else_gets_into_the_environment_of_a_pod() -> None:
    """A Service called tollway would: TOLLWAY_PORT and others, which are no settings, and so no start."""
    assert POD["enableServiceLinks"] is False


def test_probes_ask_what_they_should() -> None:
    """A database that is away must not kill a process that has streams under way."""
    asked = {kind: CONTAINER[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_no_node_starts_without_what_all_must_share() -> None:
    named = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in CONTAINER["env"]}
    assert named == {name: {"name": "tollway", "key": name} for name in NEEDED_ALIKE}
    assert set(SERVICES[NODES[0]]["environment"]) >= NEEDED_ALIKE


def test_the_image_keeps_in_its_volume_what_must_not_be_lost() -> None:
    """Of the settings alone the database would be in the working directory, which nobody may write to."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    settings = load(Path("/dev/null"), dict(re.findall(r"(TOLLWAY_\w+)=(\S+)", dockerfile)))
    volume = re.findall(r"(?m)^VOLUME (\S+)$", dockerfile)
    assert volume == [str(settings.state_dir)] == [str(compose_settings().state_dir)]
    assert Path(settings.database_url.removeprefix("sqlite:///")).parent == settings.state_dir
    assert f"EXPOSE {settings.port}" in dockerfile.splitlines()
    assert re.findall(r"(?m)^USER (\d+)$", dockerfile) == [str(POD["securityContext"]["runAsUser"])]


def test_the_image_is_called_after_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = re.findall(r"-t (tollway:\S+)", (DEPLOY / "Dockerfile").read_text())
    assert {CONTAINER["image"], SERVICES[NODES[0]]["image"], *told} == {f"tollway:{version}"}


def test_what_the_image_copies_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"(?m)^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text())
    assert {one.split("/")[0] for line in copied for one in line.split()} == kept


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2\n", "a:\n", "a: b: c\n", "a: [b]\n", "\ta: 1\n", "- a\nb: 1\n", "a: &b c\n", "a: |\n  b\n"]
)
def test_what_the_reader_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        documents(text)
