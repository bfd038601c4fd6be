"""Nodes of one deployment on one machine: `tollway serve` several times, with one database and maybe one Redis."""

from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

from flow.accounts import Accounts
from flow.conversation import Conversation
from flow.journals import wait_until_settled
from flow.ports import lasting_port
from flow.programs import Gateway, Sim, settings_for
from tollway.storage.journal.dead import journals_in
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

T = TypeVar("T")
WORKERS = 2  # of each node
# Each node would make these by itself otherwise, and then know neither the other's keys nor its addresses.
SHARED_SECRETS = """
key_pepper = "a pepper that both nodes have, of 32 or more"
user_hash_secret = "a hash secret that both nodes have, of 32"
anon_id_key = "a key of anonymous ids that both nodes have"
"""


class Deployment:
    """Two nodes; a journal folder each, or one for both when `shared_state`. Used as a context manager."""

    def __init__(self, folder: Path, sim: Sim, database_url: str, top: str, shared_state: bool = False) -> None:
        self._folders = [folder / name for name in ("a", "b")]
        states = [folder / "state"] * 2 if shared_state else self._folders
        top = f"workers = {WORKERS}\ndatabase_pool_size = 3\n{SHARED_SECRETS}\n{top}"
        self._texts = [
            settings_for(state, sim.url, database_url=database_url, top=top, port=lasting_port()) for state in states
        ]
        self.state_dirs = list(dict.fromkeys(states))
        self.database_url = database_url
        self.nodes: list[Gateway] = []

    def __enter__(self) -> "Deployment":
        """Both start at the same moment, on an empty database."""
        with ThreadPoolExecutor() as both:
            self.nodes += both.map(Gateway, self._folders, self._texts)
        self.accounts = NodesAccounts(self)
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.end()

    def workers(self) -> set[str]:
        """The ids of all that have a journal."""
        return {id_ for state_dir in self.state_dirs for id_ in journals_in(state_dir / "journal")}

    def start_again(self, index: int) -> None:
        """After its process has ended: a new one, where the old one served."""
        self.nodes[index] = Gateway(self._folders[index], self._texts[index])


class NodesAccounts(Accounts):
    """Accounts of a deployment: settled is what no journal of any node has left."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.nodes[0].config)
        self._deployment = deployment

    def run(self, work: Callable[[SqlAdmin, Database], Awaitable[T]]) -> T:
        for state_dir in self._deployment.state_dirs:
            wait_until_settled(state_dir)
        return super().run(work)


class Balancer:
    """What stands in front of nodes: it takes them in turn, and passes over one that accepts no connection."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._out: set[int] = set()
        self._turns = count()

    @contextmanager
    def without(self, index: int) -> Iterator[None]:
        """No new connection to this node meanwhile."""
        self._out.add(index)
        try:
            yield
        finally:
            self._out.remove(index)

    def connect(self) -> Conversation:
        nodes = self._deployment.nodes
        first = next(self._turns)
        for step in range(len(nodes)):
            index = (first + step) % len(nodes)
            if index not in self._out:
                try:
                    return Conversation(nodes[index])
                except ConnectionRefusedError:
                    continue
        raise ConnectionRefusedError("no node accepts a connection")
