from tollway.gateway.closers import free_slots
from unit.gateway.fakes import exchange, services


def test_places_come_back() -> None:
    everything, one = services(), exchange()
    free_slots.run(one, everything)  # none was taken
    everything.slots.take([("user-1", 1)])
    one.counted = ("user-1",)
    free_slots.run(one, everything)
    assert everything.slots.take([("user-1", 1)]) is None
