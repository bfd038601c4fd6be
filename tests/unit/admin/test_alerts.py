"""A round: what is counted, who is told, and what one that fails costs the others."""

import asyncio
from datetime import timedelta

from contract.scenario import START
from tollway.admin.alerts import Cooldowns, Round, by_threshold, run_round
from tollway.observability.alerting.evaluation import Breach, Group
from tollway.observability.alerting.rules import WINDOWS, Promise, Severity
from unit.admin.watching import FakeAlerts

COOLDOWNS = Cooldowns(page_s=900, ticket_s=14_400)
A, B = Group("openai", "m", "house"), Group("vercel", "m", "house")
PAGE_A = "o11y:alert:page:error_rate:openai:m:house"
PAGE_B = PAGE_A.replace("openai", "vercel")
TICKET_A = PAGE_A.replace("page", "ticket")


class Scene:
    def __init__(self) -> None:
        self.store = FakeAlerts()
        self.told: list[Breach] = []
        self.refuses: set[str] = set()

    def look(self) -> Round:
        async def notify(breach: Breach) -> str | None:
            if breach.group.provider in self.refuses:
                return "status 503"
            self.told.append(breach)
            return None

        return asyncio.run(run_round(self.store, WINDOWS, COOLDOWNS, notify, START))


def burning(*groups: Group) -> Scene:
    scene = Scene()
    scene.store.watch("m")
    scene.store.burn(*groups)
    return scene


def test_nothing_is_counted_where_nothing_is_watched() -> None:
    scene = Scene()
    scene.store.watch("m", enabled=False)
    scene.store.watch("m", 3000, enabled=False)
    assert (scene.look(), scene.store.asked) == (Round((), (), ()), [])


def test_the_short_side_is_counted_only_where_the_long_one_burns() -> None:
    scene = Scene()
    scene.store.watch("m")
    scene.look()
    assert [minutes for _, minutes, _ in scene.store.asked] == [360, 30, 5]
    burning_one = burning(A)
    burning_one.look()
    assert [minutes for _, minutes, _ in burning_one.store.asked] == [360, 30, 30, 3, 5, 1]


def test_each_threshold_is_counted_once() -> None:
    scene = Scene()
    for model, threshold in (("a", 3000), ("b", 200), ("c", 3000)):
        scene.store.watch(model, threshold)
    scene.store.watch("d")
    scene.store.watch("e")
    scene.look()
    assert scene.store.asked[-3:] == [(("a", "c"), 5, 3000), (("b",), 5, 200), (("d", "e"), 5, None)]


def test_a_page_silences_its_repetition_and_the_ticket() -> None:
    scene = burning(A)
    assert scene.look() == Round((PAGE_A,), (PAGE_A, TICKET_A), ())
    assert scene.store.fired == {PAGE_A: START + timedelta(seconds=900)}
    assert scene.look() == Round((), (PAGE_A, PAGE_A, TICKET_A), ())
    assert [breach.window for breach in scene.told] == [WINDOWS[0]]


def test_errors_are_told_before_slowness() -> None:
    scene = burning(A)
    scene.store.watch("m", 3000)
    scene.store.burn(A, threshold_ms=3000)
    scene.look()
    assert [(breach.window, breach.promise.threshold_ms) for breach in scene.told] == [
        (WINDOWS[0], None),
        (WINDOWS[1], 3000),
    ]


def test_requests_that_come_while_windows_are_counted_make_no_ticket_beside_the_page() -> None:
    scene = Scene()
    scene.store.watch("m")
    scene.store.burn_after_the_first_count(A)
    assert scene.look().told == (PAGE_A,)
    assert [breach.window.severity for breach in scene.told] == [Severity.PAGE]


def test_a_ticket_lasts_longer_and_silences_no_page() -> None:
    scene = Scene()
    scene.store.watch("m")
    scene.store.burn(A, minutes=(30, 360))
    assert scene.look().told == (TICKET_A,)
    assert scene.store.fired == {TICKET_A: START + timedelta(seconds=14_400)}
    scene.store.burn(A)
    assert scene.look().told == (PAGE_A,)


def test_a_webhook_that_refuses_one_dimension_keeps_none_of_the_others_from_it() -> None:
    scene = burning(A, B)
    scene.store.watch("m", 200)
    scene.store.burn(A, threshold_ms=200)
    scene.refuses = {"openai"}
    done = scene.look()
    assert done.told == (PAGE_B,)
    assert len(done.failures) == 5  # slowness burns 10 times, too little for the fastest window
    assert set(scene.store.fired) == {PAGE_B}
    assert done.summary == "Alert evaluation failed with 5 error(s)"


def test_a_window_that_cannot_be_counted_keeps_no_other_from_it() -> None:
    scene = burning(A)
    scene.store.away = {5}
    done = scene.look()
    assert (done.told, len(done.failures)) == ((PAGE_A,), 1)
    assert scene.told[0].window == WINDOWS[1]


def test_what_was_told_and_could_not_be_remembered_is_a_failure_too() -> None:
    scene = burning(A)
    scene.store.forgets = True
    done = scene.look()
    assert (done.told, len(done.failures)) == ((PAGE_A, PAGE_A, TICKET_A), 3)


def test_groups_of_promises() -> None:
    errors, slow, slower = Promise("a", 0.9, 1), Promise("a", 0.9, 1, 100), Promise("b", 0.9, 1, 2000)
    assert by_threshold([slower, slow, errors]) == ((errors,), (slow,), (slower,))
    assert COOLDOWNS.of(Severity.PAGE) < COOLDOWNS.of(Severity.TICKET)
