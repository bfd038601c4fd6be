from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.offered import OfferedUpstream, entries, listed
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.upstream_models import UpstreamModel

ANN, ORG, OTHER = Owner(OwnerKind.USER, "ann"), Owner(OwnerKind.ORGANIZATION, "o1"), Owner(OwnerKind.ORGANIZATION, "o2")


def offered(owner: Owner, provider_id: str = "acme", *models: UpstreamModel) -> OfferedUpstream:
    return OfferedUpstream(owner, provider_id, provider_id, models or (UpstreamModel("m", "M"),))


def test_the_list_has_an_entry_for_each_owner() -> None:
    assert listed([offered(ANN), offered(ORG)]) == [
        {
            "id": "acme/m",
            "name": "M",
            "supportsVision": False,
            "isPreferred": False,
            "owner": {"type": "user", "organizationId": None},
        },
        {
            "id": "acme/m",
            "name": "M",
            "supportsVision": False,
            "isPreferred": False,
            "owner": {"type": "organization", "organizationId": "o1"},
        },
    ]


def test_the_catalog_has_what_can_be_called_as_it_is_asked() -> None:
    all_of_them = [offered(ANN, "mine"), offered(ORG, "ours"), offered(OTHER, "theirs")]
    assert list(entries(all_of_them, None)) == ["mine/m"]
    assert list(entries(all_of_them, "o1")) == ["ours/m"]
    assert list(entries(all_of_them, "o3")) == []


def test_an_entry_says_what_its_owner_does_and_else_what_is_assumed() -> None:
    plain, rich = UpstreamModel("Org/M1", "M1"), UpstreamModel("m2", "M2", True, True, 1_000, 100)
    first, second = entries([offered(ANN, "acme", plain, rich)], None).values()
    assert (first["id"], first["name"], first["owned_by"]) == ("acme/Org/M1", "M1", "acme")
    assert (first["context_length"], first["top_provider"]["max_completion_tokens"]) == (200_000, 32_000)
    assert first["architecture"]["modality"] == "text->text"
    assert first["supported_parameters"] == ["max_tokens", "temperature", "tools"]
    assert set(first["pricing"].values()) == {"0"}
    assert (second["context_length"], second["top_provider"]["max_completion_tokens"]) == (1_000, 100)
    assert second["architecture"]["modality"] == "text+image->text"
    assert second["supported_parameters"][-2:] == ["reasoning", "include_reasoning"]
    assert second["owner"] == {"type": "user", "organizationId": None}


OWNERS = st.sampled_from([ANN, ORG, OTHER])
UPSTREAMS = st.lists(st.builds(offered, OWNERS, st.sampled_from(["a", "b"])), max_size=6)


@given(UPSTREAMS, st.sampled_from([None, "o1", "o2"]))
def test_nobody_elses_is_ever_there_and_no_id_twice(upstreams: list[OfferedUpstream], organization: str | None) -> None:
    found = entries(upstreams, organization)
    assert [one["id"].lower() for one in found.values()] == list(found)
    assert {one["owner"]["organizationId"] for one in found.values()} <= {organization}
