from tollway.providers.families.moonshot import leave_temperature
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt


def test_without_a_temperature_nothing_changes() -> None:
    draft = Draft({"top_p": 1})
    assert leave_temperature(draft, attempt()) is draft


def test_no_temperature_not_even_null() -> None:
    body = {"temperature": None, "top_p": 1}
    assert leave_temperature(Draft(body), attempt()).body == {"top_p": 1}
    assert "temperature" in body
