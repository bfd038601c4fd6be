import asyncio
import socket

from tollway.http.stall import Stall, unsent_bytes
from unit.http.connection import Transport


def test_nothing_taken_since_the_client_fell_behind() -> None:
    stall = Stall()
    stall.begin(100.0)
    assert stall.look(101.0, 500) == 1.0
    assert stall.look(102.0, 500) == 2.0
    assert stall.look(103.0, 600) == 3.0  # more to send is no sign of life
    assert stall.look(104.0, 599) == 0.0
    assert stall.look(105.0, 599) == 1.0


def test_the_first_look_begins_it_where_nobody_said_so() -> None:
    stall = Stall()
    assert stall.look(100.0, 5) == 0.0
    assert stall.look(101.0, 5) == 1.0
    stall.forget()
    assert stall.look(200.0, 5) == 0.0


def test_what_the_system_holds_counts() -> None:
    class Connected(Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return sender if name == "socket" else default

    listener = socket.create_server(("127.0.0.1", 0))
    sender = socket.create_connection(listener.getsockname())
    reader, _ = listener.accept()
    with listener, sender, reader:
        sender.setblocking(False)
        sent = 0
        try:
            while True:
                sent += sender.send(b"a" * 65_536)
        except BlockingIOError:
            pass
        transport = Connected()
        transport.unsent = 7
        before = unsent_bytes(transport)
        assert 7 < before <= sent + 7
        reader.recv(sent, socket.MSG_WAITALL)
        assert unsent_bytes(transport) < before


def test_a_transport_without_a_socket() -> None:
    transport = Transport()
    transport.unsent = 7
    assert unsent_bytes(transport) == 7
    assert isinstance(transport, asyncio.Transport)
