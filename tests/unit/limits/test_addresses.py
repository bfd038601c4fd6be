from datetime import date

from tollway.limits.addresses import row_name, window_name

SECRET, ADDRESS = b"secret", "203.0.113.9"
DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)


def test_a_name_tells_nothing_and_is_different_wherever_it_must_be() -> None:
    names = [
        window_name(SECRET, ADDRESS),
        window_name(b"another", ADDRESS),
        window_name(SECRET, "203.0.113.8"),
        row_name(SECRET, ADDRESS, DAY),
        row_name(SECRET, ADDRESS, NEXT),
        row_name(SECRET, "203.0.113.8", DAY),
        row_name(b"another", ADDRESS, DAY),
    ]
    assert len(set(names)) == len(names)
    assert all(len(name) == 32 and ADDRESS not in name for name in names)


def test_a_name_is_the_same_in_every_process() -> None:
    assert window_name(SECRET, ADDRESS) == window_name(SECRET, ADDRESS)
    assert row_name(SECRET, ADDRESS, DAY) == row_name(SECRET, ADDRESS, DAY)
