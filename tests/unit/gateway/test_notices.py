import asyncio
import json

import pytest
from structlog.testing import capture_logs

from tollway.billing.notices import ATTEMPTS_MAX, Notice
from tollway.billing.subscriptions import Issued
from tollway.catalog.preset import SubscriptionRules
from tollway.gateway.notices import Tell, handle_notices
from unit.billing.subscriptions import MARCH, RULES

LOW = Notice("n1", "low_balance", {"organization_id": "acme", "recipients": ["a@example.com"]}, MARCH, 1)


class FakeNotices:
    def __init__(self, *waiting: Notice) -> None:
        self.waiting = {notice.id: notice for notice in waiting}

    async def take(self, limit: int) -> tuple[Notice, ...]:
        return tuple(self.waiting.values())[:limit]

    async def forget(self, notice_id: str) -> None:
        del self.waiting[notice_id]


class FakeSubscriptions:
    def __init__(self, issued: Issued = Issued.DONE) -> None:
        self.issued = issued
        self.users: list[str] = []

    async def advance(self, rules: SubscriptionRules) -> tuple[str, ...]:
        raise NotImplementedError

    async def issue_bonus(self, user_id: str, rules: SubscriptionRules) -> Issued:
        self.users.append(user_id)
        return self.issued


class Webhook:
    def __init__(self, why: str = "") -> None:
        self.why = why
        self.told: list[dict] = []

    async def __call__(self, content: bytes) -> str:
        self.told.append(json.loads(content))
        return self.why


def handle(
    notices: FakeNotices, tell: Tell | None = None, subscriptions: FakeSubscriptions | None = None
) -> tuple[int, list]:
    with capture_logs() as lines:
        count = asyncio.run(handle_notices(notices, subscriptions or FakeSubscriptions(), RULES, tell))
    return count, [line["event"] for line in lines]


def test_the_webhook_is_told() -> None:
    notices, webhook = FakeNotices(LOW), Webhook()
    assert handle(notices, webhook) == (1, [])
    assert webhook.told == [{"id": "n1", "type": "low_balance", "data": LOW.payload}]
    assert not notices.waiting


def test_without_a_webhook_a_notice_is_logged_and_over() -> None:
    """Without the addresses of people."""
    notices = FakeNotices(LOW)
    with capture_logs() as lines:
        asyncio.run(handle_notices(notices, FakeSubscriptions(), RULES, None))
    assert [line["event"] for line in lines] == ["notice_for_nobody"]
    assert "example.com" not in str(lines)
    assert not notices.waiting


def test_one_that_is_not_taken_keeps_no_other_waiting() -> None:
    other = Notice("n2", "bonus_due", {"user_id": "ann"}, MARCH, 1)
    notices, subscriptions = FakeNotices(LOW, other), FakeSubscriptions()
    assert handle(notices, Webhook("status 500"), subscriptions) == (2, ["notice_postponed"])
    assert (list(notices.waiting), subscriptions.users) == (["n1"], ["ann"])


def test_at_last_it_is_given_up() -> None:
    last = Notice(LOW.id, LOW.kind, LOW.payload, MARCH, ATTEMPTS_MAX)
    notices = FakeNotices(last)
    assert handle(notices, Webhook("status 500")) == (1, ["notice_given_up"])
    assert not notices.waiting


@pytest.mark.parametrize(
    ("issued", "lines"), [(Issued.DONE, []), (Issued.NOT_DUE, []), (Issued.FAILED, ["bonus_failed"])]
)
def test_a_bonus_is_tried_once_for_each_trigger(issued: Issued, lines: list[str]) -> None:
    notices = FakeNotices(Notice("b", "bonus_due", {"user_id": "ann"}, MARCH, 1))
    subscriptions = FakeSubscriptions(issued)
    assert handle(notices, None, subscriptions) == (1, lines)
    assert subscriptions.users == ["ann"]
    assert not notices.waiting
