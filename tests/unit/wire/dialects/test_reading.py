import pytest

from tollway.wire.dialects.reading import as_index, as_list, as_object, as_text

VALUES = [None, True, 0, 7, 1.5, "x", ["x"], {"a": 1}]


@pytest.mark.parametrize(
    ("read", "kind", "empty"), [(as_object, dict, {}), (as_list, list, []), (as_text, str, ""), (as_index, int, -1)]
)
def test_a_value_of_another_kind_is_empty(read, kind: type, empty: object) -> None:
    for value in VALUES:
        assert read(value) == (value if type(value) is kind else empty)
