from prometheus_client import CollectorRegistry, generate_latest

from tollway.observability.bounds import Bounds


def test_where_it_stands_where_it_ends_and_whom_it_turned_away() -> None:
    registry = CollectorRegistry()
    bounds, inside = Bounds(registry), [1]
    bounds.show("room", 3, lambda: len(inside))
    bounds.show("each", 2)
    inside.append(2)
    bounds.reject("room")
    bounds.reject("room")
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if line.startswith("tollway_bound") and "created" not in line] == [
        'tollway_bound_current{bound="room"} 2.0',
        'tollway_bound_max{bound="room"} 3.0',
        'tollway_bound_max{bound="each"} 2.0',
        'tollway_bound_rejected_total{bound="room"} 2.0',
        'tollway_bound_rejected_total{bound="each"} 0.0',
    ]
