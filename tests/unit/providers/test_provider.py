from datetime import date

import pytest

from tollway.providers.provider import Provider
from tollway.providers.registry import load_providers

RECORDS = load_providers().values()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_every_fact_has_its_source_and_day(record: Provider) -> None:
    assert record.source.startswith("https://")
    assert date.fromisoformat(record.checked)
    assert not record.base_url.endswith("/")
    assert record.name
