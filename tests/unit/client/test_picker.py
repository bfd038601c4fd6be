import pytest

from tollway.client.picker import OTHER, picked, picker_lines, read_other_id
from unit.client.fakes import gateways

KNOWN = gateways({}, {"OPENROUTER_API_KEY": "k"})


def test_popular_ones_first_and_who_is_connected() -> None:
    assert list(picker_lines(KNOWN)) == [
        "Popular",
        "   1  Tollway     not connected",
        "   2  OpenAI      not connected",
        "   3  OpenRouter  connected (environment)",
        "   4  FastRouter  not connected",
        "Other",
        "   5  Apertis     not connected",
        "   6  Mistral     not connected",
        "   7  other…",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4", "fastrouter"),
        (" fastrouter ", "fastrouter"),
        ("FASTROUTER", "fastrouter"),
        ("fast", "fastrouter"),
        ("Open", None),
        ("mist", "mistral"),
        ("7", OTHER),
        ("other", OTHER),
        ("Other…", OTHER),
        ("0", None),
        ("8", None),
        ("", None),
        ("٤", "fastrouter"),
        ("9" * 400, None),
    ],
)
def test_what_a_person_meant(text: str, expected: str | None) -> None:
    found = picked(KNOWN, text)
    assert (found if isinstance(found, str) or found is None else found.id) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(" my-house/ ", "my-house"), ("a1", "a1"), ("A", None), ("a b", None), ("", None), ("../a", None)],
)
def test_ids_of_something_else(text: str, expected: str | None) -> None:
    assert read_other_id(text) == expected


def test_wide_names_do_not_push_the_rest_aside() -> None:
    house = {"name": "日本の家屋達", "options": {"baseURL": "http://127.0.0.1/v1"}}
    lines = list(picker_lines(gateways({"provider": {"house": house}}, {})))
    (line,) = [one for one in lines if "日本" in one]
    assert line == "   7  日本の家屋達  not connected"
    assert "   4  FastRouter    not connected" in lines
