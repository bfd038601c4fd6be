import pytest

from tollway.admin.restrictions import LIST_ENTRIES_MAX, check_settings
from tollway.errors import Code, Problem


def test_entries_are_trimmed_and_lower_cased_and_each_is_kept_once_in_its_order() -> None:
    given = {"model_allow_list": (" b/c ", "A/*", "B/c", "corethink:Free"), "provider_deny_list": ("z-ai", "Z-AI")}
    assert check_settings(given) == {
        "model_allow_list": ("b/c", "a/*", "corethink:free"),
        "provider_deny_list": ("z-ai",),
    }


def test_nothing_takes_a_setting_away() -> None:
    given = {"model_allow_list": (), "data_collection": None, "provider_allow_list": None}
    assert check_settings(given) == given
    assert check_settings({"data_collection": "allow"}) == {"data_collection": "allow"}
    days = {"prompt_prefix_days": 1, "request_log_days": 365}
    assert check_settings(days) == days
    assert check_settings(dict.fromkeys(days)) == dict.fromkeys(days)
    assert check_settings({"default_model": " a/b "}) == {"default_model": "a/b"}
    assert check_settings({"default_model": " "}) == check_settings({"default_model": None}) == {"default_model": None}


@pytest.mark.parametrize("name", ["model_allow_list", "model_deny_list"])
@pytest.mark.parametrize("entry", ["*", "a/b*", "*/b", "a/b/*", "a/*/*", "", " ", "a b", "a\nb", "x" * 257])
def test_an_entry_that_could_never_match_is_refused(name: str, entry: str) -> None:
    """Among others that could: a list of such entries would lock everybody out."""
    assert _shown({name: ("a/b", entry)}).startswith(f"{name}: entry 2 ")


@pytest.mark.parametrize("entry", ["a/*", "*", "", "a,b c"])
def test_providers_are_named_one_by_one(entry: str) -> None:
    assert _shown({"provider_allow_list": (entry,)}).startswith("provider_allow_list: entry 1 ")


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"telemetry": "a/b"}, "telemetry: is no setting of an organization"),
        ({"data_collection": "maybe"}, "data_collection: must be one of allow, deny"),
        ({"data_collection": ("deny",)}, "data_collection: must be one of allow, deny"),
        ({"request_log_days": 0}, "request_log_days: must be a number of days from 1 to 365"),
        ({"request_log_days": 366}, "request_log_days: must be a number of days"),
        ({"prompt_prefix_days": True}, "prompt_prefix_days: must be a number of days"),
        ({"prompt_prefix_days": "7"}, "prompt_prefix_days: must be a number of days"),
        ({"model_allow_list": "a/b"}, "model_allow_list: must be a list"),
        ({"provider_deny_list": tuple(map(str, range(LIST_ENTRIES_MAX + 1)))}, "provider_deny_list: must have at most"),
    ],
)
def test_the_refusal_names_the_field(settings: dict, shown: str) -> None:
    assert _shown(settings).startswith(shown)


def test_as_many_as_are_allowed() -> None:
    entries = tuple(map(str, range(LIST_ENTRIES_MAX)))
    assert check_settings({"provider_deny_list": entries}) == {"provider_deny_list": entries}


def _shown(settings: dict) -> str:
    problem = check_settings(settings)
    assert isinstance(problem, Problem)
    assert problem.code is Code.BAD_REQUEST
    return problem.shown or ""
