"""MemoryWindows: the windows of one process.

Bounded: beyond `keys_max` the key that was used longest ago is forgotten, but never one with a full window, so nobody
becomes free again by making room. When the keys looked at are all full, the newcomer is refused: that many full windows
are an attack.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from tollway.limits.rules import FreeRules, Rule
from tollway.limits.store import Full
from tollway.limits.window import HOLD_MS, ExactWindow, MinuteWindow

LOOKED_AT_MAX: Final = 16  # keys, to make room for one
SWEPT_MAX: Final = 500  # keys, at a time


class _State:
    """The windows of one key."""

    __slots__ = ("hosted", "promotion")

    def __init__(self, rules: FreeRules) -> None:
        self.hosted = ExactWindow(rules.hosted.length_ms)
        self.promotion = MinuteWindow(rules.promotion.length_ms)


class MemoryWindows:
    """Implements OwnWindows. No method waits, so each is atomic: the process has one event loop."""

    def __init__(self, rules: FreeRules, keys_max: int, now_ms: Callable[[], int]) -> None:
        """`now_ms`: a clock in milliseconds that never goes back, with any start."""
        self._rules = rules
        self._keys_max = keys_max
        self._now = now_ms
        self._states: OrderedDict[str, _State] = OrderedDict()  # the one used longest ago first
        self._to_sweep: list[str] = []

    def __len__(self) -> int:
        """Keys with anything in their windows, or that had when they were last swept."""
        return len(self._states)

    async def reserve(self, key: str, request_id: str) -> Full | None:
        now, rule = self._now(), self._rules.hosted
        state = self._state_for_writing(key, now)
        if state is None:
            return Full(rule, HOLD_MS)
        return None if state.hosted.hold(request_id, now, rule.most) else _full(rule, state.hosted, now)

    async def check(self, key: str) -> Full | None:
        now, rule, state = self._now(), self._rules.promotion, self._states.get(key)
        if state is None:
            return None if rule.most else Full(rule, rule.length_ms)
        return _full(rule, state.promotion, now) if state.promotion.used(now) >= rule.most else None

    async def commit(self, key: str, request_id: str, is_anonymous: bool) -> Full | None:
        now, rules = self._now(), self._rules
        state = self._state_for_writing(key, now)
        if state is None:
            return Full(rules.hosted, HOLD_MS)
        if is_anonymous and state.promotion.used(now) >= rules.promotion.most:
            state.hosted.release(request_id)
            return _full(rules.promotion, state.promotion, now)
        if not state.hosted.log(request_id, now, rules.hosted.most):
            return _full(rules.hosted, state.hosted, now)
        if is_anonymous:
            state.promotion.log(now)
        return None

    async def release(self, key: str, request_id: str) -> None:
        state = self._states.get(key)
        if state:
            state.hosted.release(request_id)
            self._forget_if_empty(key, state, self._now())

    def holds(self, key: str, request_id: str) -> bool:
        state = self._states.get(key)
        return state is not None and state.hosted.holds(request_id, self._now())

    def sweep(self) -> None:
        """Forget keys whose windows have passed; some at a time, so that it never takes long."""
        now = self._now()
        if not self._to_sweep:
            self._to_sweep = list(self._states)
        for _ in range(min(SWEPT_MAX, len(self._to_sweep))):
            key = self._to_sweep.pop()
            state = self._states.get(key)
            if state:
                self._forget_if_empty(key, state, now)

    def _forget_if_empty(self, key: str, state: _State, now: int) -> None:
        if not (state.hosted.used(now) or state.promotion.used(now)):
            del self._states[key]

    def _state_for_writing(self, key: str, now: int) -> _State | None:
        """The key's windows; None when there is no room for another key."""
        state = self._states.get(key)
        if state:
            self._states.move_to_end(key)
            return state
        if len(self._states) >= self._keys_max and not self._make_room(now):
            return None
        state = self._states[key] = _State(self._rules)
        return state

    def _make_room(self, now: int) -> bool:
        for _ in range(min(LOOKED_AT_MAX, len(self._states))):
            key, state = next(iter(self._states.items()))
            if not self._is_full(state, now):
                del self._states[key]
                return True
            self._states.move_to_end(key)  # the next newcomer looks at others
        return False

    def _is_full(self, state: _State, now: int) -> bool:
        rules = self._rules
        return state.hosted.used(now) >= rules.hosted.most or state.promotion.used(now) >= rules.promotion.most


def _full(rule: Rule, window: ExactWindow | MinuteWindow, now: int) -> Full:
    return Full(rule, window.frees_at(now) - now)
