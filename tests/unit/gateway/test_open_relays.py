from tollway.gateway.open_relays import OpenRelays


class Relay:
    def __init__(self) -> None:
        self.stops = 0

    def shut_down(self) -> None:
        self.stops += 1


def test_those_under_way_are_ended_once() -> None:
    relays = OpenRelays()
    over, open_ = Relay(), Relay()
    with relays.kept(over):
        pass
    with relays.kept(open_):
        assert relays.shut_down() == 1
    assert (over.stops, open_.stops) == (0, 1)
    assert relays.shut_down() == 0


def test_one_that_comes_later_is_ended_at_once() -> None:
    """A retry that was waiting for its pause must not outlive the server."""
    relays, late = OpenRelays(), Relay()
    relays.shut_down()
    with relays.kept(late):
        assert late.stops == 1
