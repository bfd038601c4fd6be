from tollway.gateway.closers import emit_api_metrics
from tollway.gateway.reply import Reply
from tollway.observability.metric_feed import MetricFeed, Waiting
from unit.gateway.closers.test_settle_funds import TOLD
from unit.gateway.fakes import NOW, candidate, exchange, services
from unit.gateway.test_api_metric import ended


def test_a_record_waits_under_the_requests_id() -> None:
    waiting = Waiting(9, lambda _: None)
    emit_api_metrics.run(ended(Reply(candidate(), 200, TOLD)), services(api_metrics=MetricFeed((waiting,))))
    (record,) = waiting.first(9)
    assert (record.id, record.at, record.metric.status_code) == ("request-1", NOW, 200)


def test_nothing_to_tell_and_nobody_to_tell() -> None:
    waiting = Waiting(9, lambda _: None)
    emit_api_metrics.run(exchange(), services(api_metrics=MetricFeed((waiting,))))
    assert len(waiting) == 0
    emit_api_metrics.run(exchange(), services())  # an exchange that has not even a caller is not looked at
