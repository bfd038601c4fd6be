"""Clients that keep asking while the gateway dies and comes back, and remember what they saw whole."""

import threading
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from flow.accounts import Account
from flow.conversation import Conversation, chat

SLOW_MS = 10
MODELS = ("sim/story", "plain/story")  # the first provider reports cost, the second does not


@dataclass
class Seen:
    """Request ids by what their clients saw. `whole`: every byte up to the proper end."""

    whole: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    broken: int = 0
    refused: int = 0


class Entrance(Protocol):
    """What lets clients in."""

    def connect(self) -> Conversation: ...


@dataclass(frozen=True)
class Target:
    """One gateway, whatever process it is at the time."""

    host: str
    port: int

    def connect(self) -> Conversation:
        return Conversation(self)  # type: ignore[arg-type]  # host and port are all it needs


class Load:
    """`clients` threads, each with a seed of its own; they stop when told, each after its present request."""

    def __init__(self, entrance: Entrance, account: Account, clients: int, seed: int) -> None:
        self.seen = Seen()
        self._entrance = entrance
        self._account = account
        self._lock = threading.Lock()
        self._over = threading.Event()
        dice = Random(seed)
        seeds = [dice.random() for _ in range(clients)]
        self._threads = [threading.Thread(target=self._run, args=(Random(one),)) for one in seeds]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, dice: Random) -> None:
        while not self._over.is_set():
            try:
                self._one(dice)
            except (OSError, AssertionError):  # refused, reset, or ended in the middle of its head
                with self._lock:
                    self.seen.broken += 1
                self._over.wait(0.02)

    def _one(self, dice: Random) -> None:
        stream = dice.random() < 0.7
        control: dict[str, Any] = {"chunks": dice.randint(1, 60), "delay_ms": dice.choice((0, 1, 5, 10))}
        if dice.random() < 0.25:  # long enough that a second of it is a part of it
            control = {"chunks": dice.randint(150, 400), "delay_ms": SLOW_MS}
        leaves = dice.random() < 0.15
        with self._entrance.connect() as conversation:
            conversation.ask(self._account, chat(dice.choice(MODELS), stream, control))
            if leaves and stream:
                head = conversation.read_until(b"data: ")
                id_ = head.partition(b"x-request-id: ")[2][:32].decode()
                with self._lock:
                    self.seen.left.add(id_)
                return
            answer = conversation.read_answer()
        with self._lock:
            if answer.status != 200:
                self.seen.refused += 1
            elif answer.whole and (not stream or answer.is_done):
                self.seen.whole.add(answer.request_id)
            else:
                self.seen.broken += 1
