from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.kept_text import EVERY, NOBODY, KeptText, TextPermissions
from tollway.identity.organization import OrganizationSettings

names = st.sampled_from(["acme", "bolt", EVERY])
permissions = st.builds(TextPermissions, st.frozensets(names), st.frozensets(names))
days = st.none() | st.integers(1, 365)
settings = st.builds(OrganizationSettings, prompt_prefix_days=days, request_log_days=days)

WANTS = OrganizationSettings(prompt_prefix_days=3, request_log_days=9)


def test_both_must_agree() -> None:
    assert NOBODY.in_force("acme", WANTS) == KeptText()
    both = TextPermissions(frozenset({"acme"}), frozenset({EVERY}))
    assert both.in_force("acme", WANTS) == KeptText(3, 9)
    assert both.in_force("bolt", WANTS) == KeptText(None, 9)
    assert both.in_force("acme", OrganizationSettings()) == KeptText()


@given(permissions, st.sampled_from(["acme", "bolt", "other"]), settings)
def test_never_more_than_the_organization_wants(
    permitted: TextPermissions, organization: str, wanted: OrganizationSettings
) -> None:
    kept = permitted.in_force(organization, wanted)
    assert kept.prompt_prefix_days in (None, wanted.prompt_prefix_days)
    assert kept.request_log_days in (None, wanted.request_log_days)
    every = TextPermissions(frozenset({EVERY}), frozenset({EVERY})).in_force(organization, wanted)
    assert every == KeptText(wanted.prompt_prefix_days, wanted.request_log_days)
