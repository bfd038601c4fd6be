from collections.abc import Iterable

from msgspec.msgpack import Decoder

from tollway.billing.recovery import Progressed
from tollway.gateway.exchange import Exchange
from tollway.gateway.open_relays import OpenRelays
from tollway.wire.answer import Answer
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import exchange

decode = Decoder(Progressed).decode
TOLD = (200, Answer("a", "m", has_output=True, output_units=3))
MORE = (200, Answer("a", "m", has_output=True, output_units=9))


class Relay:
    """Has the news that a test gives it, once."""

    def __init__(self, news: tuple[int, Answer] | None = None) -> None:
        self.told = news
        self.stops = 0

    def news(self) -> tuple[int, Answer] | None:
        news, self.told = self.told, None
        return news

    def shut_down(self) -> None:
        self.stops += 1


class Journal:
    """Takes what relays tell; each call is one write."""

    def __init__(self) -> None:
        self.writes: list[list[tuple[str, Progressed]]] = []

    def __call__(self, entries: Iterable[tuple[str, bytes]]) -> None:
        self.writes.append(sorted((request_id, decode(payload)) for request_id, payload in entries))


def of(request_id: str) -> Exchange:
    """An exchange whose prompt, with the name of its role, has 15 bytes."""
    one = exchange()
    one.id, one.request = request_id, parse_chat(one.inbound.body)
    return one


# progress


def test_all_that_have_news_are_written_at_once() -> None:
    journal = Journal()
    relays = OpenRelays(journal)
    first, silent, last = Relay(TOLD), Relay(), Relay(MORE)
    for relay, id_ in ((first, "1"), (silent, "2"), (last, "3")):
        relays.add(relay, of(id_))
    relays.note_all()
    assert journal.writes == [[("1", Progressed(*TOLD, 15)), ("3", Progressed(*MORE, 15))]]
    relays.note_all()
    assert len(journal.writes) == 1  # nothing new, nothing written
    last.told = MORE
    relays.note_all()
    assert len(journal.writes) == 1  # nobody said so
    relays.note(last, is_much=False)
    assert len(journal.writes) == 1
    relays.note_all()
    assert journal.writes[1] == [("3", Progressed(*MORE, 15))]


def test_one_of_which_much_has_passed_is_written_alone() -> None:
    journal = Journal()
    relays = OpenRelays(journal)
    first, second = Relay(TOLD), Relay(MORE)
    relays.add(first, of("1"))
    relays.add(second, of("2"))
    relays.note(second, is_much=True)
    assert journal.writes == [[("2", Progressed(*MORE, 15))]]
    assert first.told


def test_a_prompt_is_counted_once_and_only_for_those_that_take_long() -> None:
    relays = OpenRelays(journal := Journal())
    relay, one, short = Relay(TOLD), of("1"), of("2")
    relays.add(relay, one)
    relays.add(Relay(), short)
    relays.note_all()
    assert (one.prompt_text_bytes, short.prompt_text_bytes) == (15, None)
    one.prompt_text_bytes = 1_000
    relay.told = MORE
    relays.note(relay, is_much=False)
    relays.note_all()
    assert journal.writes[1] == [("1", Progressed(*MORE, 1_000))]


def test_one_that_is_over_is_not_written() -> None:
    relays = OpenRelays(journal := Journal())
    relay = Relay(TOLD)
    relays.add(relay, of("1"))
    relays.note(relay, is_much=False)
    relays.remove(relay)
    relays.note_all()
    relays.note(relay, is_much=True)
    relays.note(relay, is_much=False)
    relays.note_all()
    assert journal.writes == []


def test_what_came_before_it_was_known_is_not_lost() -> None:
    """The first bytes may arrive while it is being sent."""
    relays = OpenRelays(journal := Journal())
    relay = Relay(TOLD)
    relays.note(relay, is_much=False)
    relays.add(relay, of("1"))
    relays.note_all()
    assert journal.writes == [[("1", Progressed(*TOLD, 15))]]


# shutting down


def test_those_under_way_are_ended_once() -> None:
    relays = OpenRelays(Journal())
    over, open_ = Relay(), Relay()
    relays.add(over, of("1"))
    relays.remove(over)
    relays.add(open_, of("2"))
    assert relays.shut_down() == 1
    relays.remove(open_)
    assert (over.stops, open_.stops) == (0, 1)
    assert relays.shut_down() == 0


def test_those_that_end_by_it_may_leave_meanwhile() -> None:
    """What waits for a relay goes on within its end, and removes it."""
    relays = OpenRelays(Journal())

    class Ending(Relay):
        def shut_down(self) -> None:
            super().shut_down()
            relays.remove(self)

    both = Ending(), Ending()
    for number, relay in enumerate(both):
        relays.add(relay, of(str(number)))
    assert relays.shut_down() == 2
    assert [relay.stops for relay in both] == [1, 1]


def test_one_that_comes_later_is_ended_at_once() -> None:
    """A retry that was waiting for its pause must not outlive the server."""
    relays, late = OpenRelays(Journal()), Relay()
    relays.shut_down()
    relays.add(late, of("1"))
    assert late.stops == 1
    relays.remove(late)
