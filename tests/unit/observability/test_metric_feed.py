from contract.observed import measured, metric
from tollway.observability.metric_feed import MetricFeed, Waiting


def test_beyond_the_bound_records_are_dropped_and_counted() -> None:
    dropped: list[int] = []
    waiting = Waiting(2, dropped.append)
    records = [measured(metric()) for _ in range(4)]
    assert [waiting.add(record) for record in records] == [True, True, False, False]
    assert (waiting.first(9), len(waiting), dropped) == (tuple(records[:2]), 2, [1, 1])
    waiting.remove(1)
    assert waiting.add(records[3])
    assert waiting.first(1) == (records[1],)
    waiting.remove(2, lost=1)
    assert (len(waiting), dropped) == (0, [1, 1, 1])


def test_every_sink_gets_it_and_a_full_one_keeps_none_from_another() -> None:
    full, empty = Waiting(0, lambda _: None), Waiting(1, lambda _: None)
    record = measured(metric())
    MetricFeed((full, empty)).add(record)
    assert (full.first(1), empty.first(1)) == ((), (record,))
