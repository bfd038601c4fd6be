import pytest
from fastapi import FastAPI

from tollway.admin.sync import SyncResult
from tollway.http.cron import PATH, CronServices, add_cron
from unit.http.asgi import Answer, ask

STORED = SyncResult(
    "stored",
    snapshot_id=7,
    generated_at="2026-11-20T12:00:00.000Z",
    total_providers=12,
    total_models=120,
    models={"openrouter": 100, "vercel": 200},
)


def call(result: SyncResult = STORED, secret: bytes | None = b"s3", **headers: str) -> tuple[Answer, int]:
    """The answer, and how many runs there were."""
    runs = 0

    async def run() -> SyncResult:
        nonlocal runs
        runs += 1
        return result

    api = FastAPI()
    add_cron(api, CronServices(secret, run))
    return ask(api, "GET", PATH, **headers), runs


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        (b"s3", ""),
        (b"s3", "Bearer wrong"),
        (b"s3", "s3"),
        (b"s3", "bearer s3"),
        (None, "Bearer "),
        (b"", "Bearer "),
        (None, ""),
    ],
)
def test_nobody_else_starts_a_run(secret: bytes | None, header: str) -> None:
    headers = {"authorization": header} if header else {}
    answer, runs = call(secret=secret, **headers)
    assert (answer.status, answer.json, runs) == (401, {"error": "Unauthorized"}, 0)


def test_what_a_run_tells() -> None:
    answer, runs = call(authorization="Bearer s3")
    assert (answer.status, runs) == (200, 1)
    assert answer.json == {
        "id": 7,
        "generated_at": "2026-11-20T12:00:00.000Z",
        "total_models": 120,
        "total_providers": 12,
        "openrouter_models": 100,
        "vercel_models": 200,
    }


def test_a_run_that_stores_nothing() -> None:
    for outcome in ("failed", "held"):
        answer, _ = call(SyncResult(outcome, ("secret reason",)), authorization="Bearer s3")  # type: ignore[arg-type]
        assert (answer.status, answer.json) == (500, {"error": "Internal server error"})
    answer, _ = call(SyncResult("running"), authorization="Bearer s3")
    assert (answer.status, answer.json) == (200, {"status": "already running"})
