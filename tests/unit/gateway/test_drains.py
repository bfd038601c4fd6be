from tollway.gateway.drains import Drains


def test_no_more_than_the_bound() -> None:
    heard: list[int] = []
    drains = Drains(2, heard.append)
    assert [drains.take() for _ in range(3)] == [True, True, False]
    drains.give_back()
    assert drains.take()
    drains.give_back()
    drains.give_back()
    assert heard == [1, 2, 1, 2, 1, 0]
    assert drains.current == 0


def test_none_at_all() -> None:
    full: list[bool] = []
    assert not Drains(0, lambda _: None, lambda: full.append(True)).take()
    assert full == [True]
