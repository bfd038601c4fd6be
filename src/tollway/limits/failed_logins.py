"""How often somebody failed to log in over the time just past. Pure: every instant is passed in.

Of each name only the last `most` failures are kept, because they decide alone: while the oldest of them is in the
window, another one would be one too many. Names are given up once their last failure has left the window, and when
there are too many, the one whose last failure is the longest ago.
"""

from collections import OrderedDict, deque


class _Failures:
    """Of one name: when, ascending."""

    __slots__ = ("instants", "is_told")

    def __init__(self, most: int) -> None:
        self.instants: deque[float] = deque(maxlen=most)
        self.is_told = False


class FailedLogins:
    """At most `most` (one at least) of one name in any `window_s` seconds, of `names_max` names."""

    def __init__(self, most: int, window_s: float, names_max: int) -> None:
        self._most = most
        self._window_s = window_s
        self._names_max = names_max
        self._by_name: OrderedDict[str, _Failures] = OrderedDict()  # the last failure longest ago first

    def __len__(self) -> int:
        """Names with failures, or that had some when one was last counted."""
        return len(self._by_name)

    def wait_s(self, name: str, now: float) -> float:
        """Seconds until another attempt may be made; 0 when it may be made now."""
        failures = self._by_name.get(name)
        if failures is None or len(failures.instants) < self._most:
            return 0.0
        return max(0.0, failures.instants[0] + self._window_s - now)

    def add(self, name: str, now: float) -> bool:
        """One more failure. Whether somebody is to be told: this one reached the bound, and none has since the name's
        window was empty."""
        self._forget(now)
        failures = self._by_name.get(name)
        if failures is None:
            if len(self._by_name) >= self._names_max:
                self._by_name.popitem(last=False)
            failures = self._by_name[name] = _Failures(self._most)
        else:
            self._by_name.move_to_end(name)
        failures.instants.append(now)
        if failures.is_told or not self.wait_s(name, now):
            return False
        failures.is_told = True
        return True

    def _forget(self, now: float) -> None:
        while self._by_name:
            name, failures = next(iter(self._by_name.items()))
            if failures.instants[-1] + self._window_s > now:
                return
            del self._by_name[name]
