from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.address_kinds import AddressKind, kind_of
from tollway.identity.outbound import OutboundRules
from tollway.upstream.guard import Refused, check_resolved, is_local

RULES = OutboundRules(endpoints={("inside", 8000): True})
PUBLIC = ["8.8.8.8", "2606:4700::1111", "1.1.1.1"]


def test_each_address_once_in_the_resolvers_order() -> None:
    assert check_resolved("a", 443, ["8.8.8.8", "2606:4700::1111", "8.8.8.8"], RULES) == ("8.8.8.8", "2606:4700::1111")


@pytest.mark.parametrize(
    ("resolved", "reason"),
    [
        ([], "no address"),
        (["10.0.0.1"], "private"),
        (["8.8.8.8", "127.0.0.1"], "loopback"),
        (["169.254.169.254", "8.8.8.8"], "cloud metadata"),
        (["8.8.8.8", "fe80::1%2"], "link-local"),
        (["8.8.8.8", "inside"], "not an address"),
        (["8.8.8.8", ""], "not an address"),
    ],
)
def test_refused(resolved: list[str], reason: str) -> None:
    assert check_resolved("a", 443, resolved, RULES) == Refused(reason)


def test_an_opened_endpoint_may_be_inside_but_only_that_one() -> None:
    inside = ["10.0.0.1", "fd00::1"]
    assert check_resolved("inside", 8000, inside, RULES) == tuple(inside)
    assert check_resolved("inside", 8001, inside, RULES) == Refused("private")
    assert check_resolved("other", 8000, inside, RULES) == Refused("private")
    assert check_resolved("inside", 8000, [*inside, "169.254.169.254"], RULES) == Refused("cloud metadata")


@given(st.lists(st.ip_addresses().map(str), max_size=4), st.lists(st.sampled_from(PUBLIC), max_size=4), st.randoms())
def test_one_bad_address_refuses_all_wherever_it_stands(some: list[str], public: list[str], random: object) -> None:
    resolved = some + public
    random.shuffle(resolved)  # type: ignore[attr-defined]
    found = check_resolved("a", 443, resolved, RULES)
    are_public = resolved and all(kind_of(ip_address(one)) is AddressKind.PUBLIC for one in resolved)
    assert isinstance(found, tuple) is bool(are_public)


@pytest.mark.parametrize("listens_at", ["0.0.0.0", "::"])
def test_where_tollway_listens_everywhere_its_port_is_refused_at_every_address_of_the_machine(listens_at: str) -> None:
    rules = OutboundRules(ports=frozenset({8788}), listeners=frozenset({(ip_address(listens_at), 8788)}))
    assert check_resolved("a", 8788, ["8.8.8.8"], rules, lambda _: True) == Refused("Tollway itself")
    assert check_resolved("a", 8788, ["8.8.8.8"], rules, lambda _: False) == ("8.8.8.8",)
    assert check_resolved("a", 443, ["8.8.8.8"], rules, lambda _: True) == ("8.8.8.8",)
    assert check_resolved("a", 8788, ["127.0.0.1"], rules, lambda _: False) == Refused("Tollway itself")


def test_what_this_machine_has() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.7")
    assert not is_local("2001:db8::7")
