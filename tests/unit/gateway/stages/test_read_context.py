from tollway.gateway.stages import read_context
from unit.gateway.fakes import exchange, services


def test_what_the_headers_say() -> None:
    one = exchange(headers={b"x-tollway-taskid": b"task-1"})
    assert read_context.run(one, services()).task_id == "task-1"
