"""The life of one request: STAGES top to bottom, then CLOSERS, on every exit. Read this file first.

The order of the stages is observable (which refusal wins) and is the table of request-path §0.4. A stage returns the
part it gives, or a Problem that ends the request. Closers run exactly once, whatever happened: the money first, because
the last bytes of an answer leave only after its charge is durable.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import CoroutineType, TracebackType
from typing import Any, Final, Protocol

from tollway.errors import Code, Problem
from tollway.gateway.closers import (
    answer_client,
    ask_record,
    emit_api_metrics,
    emit_metrics,
    free_key,
    free_slots,
    keep_transcript,
    record_request,
    release_place,
    report_abuse_cost,
    settle_funds,
)
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.gateway.stages import (
    authenticate,
    check_abuse,
    check_policy,
    check_request,
    choose_model,
    claim_key,
    classify_model,
    find_address,
    gate_anonymous,
    limit_concurrency,
    limit_free,
    limit_promotion,
    log_free_use,
    note_particulars,
    parse_request,
    plan_route,
    prepare_request,
    read_context,
    reserve_funds,
    resolve_model,
    resolve_provider,
    send_upstream,
)

Run = Callable[[Exchange, Services], Any]
Closer = Callable[[Exchange, Services], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step. `needs` are the parts it reads, `gives` the part it returns ("" for none). A step that has to wait
    returns a coroutine."""

    run: Run
    needs: tuple[str, ...] = ()
    gives: str = ""

    @property
    def name(self) -> str:
        return self.run.__module__.rpartition(".")[2]


STAGES: Final = (
    Stage(parse_request.run, gives="asked"),
    Stage(find_address.run, gives="address"),
    Stage(read_context.run, gives="context"),
    Stage(resolve_model.run, needs=("asked", "context"), gives="request"),
    Stage(classify_model.run, needs=("request",), gives="kind"),
    Stage(limit_free.run, needs=("address", "kind"), gives="place"),
    Stage(authenticate.run, needs=("address",), gives="known"),
    Stage(gate_anonymous.run, needs=("address", "known", "kind"), gives="caller"),
    Stage(limit_concurrency.run, needs=("caller",), gives="counted"),
    Stage(limit_promotion.run, needs=("address", "caller", "kind")),
    Stage(log_free_use.run, needs=("address", "caller", "request", "place"), gives="is_logged"),
    Stage(resolve_provider.run, needs=("caller", "request"), gives="own"),
    Stage(check_request.run, needs=("caller", "request", "kind", "own")),
    Stage(choose_model.run, needs=("request", "own"), gives="model"),
    Stage(plan_route.run, needs=("context", "kind", "caller", "request", "own", "model"), gives="plan"),
    Stage(check_abuse.run, needs=("asked", "address", "context", "caller", "request", "own", "plan"), gives="inquiry"),
    Stage(check_policy.run, needs=("kind", "caller", "request", "own", "model"), gives="provider_config"),
    Stage(claim_key.run, needs=("caller",), gives="claim"),
    Stage(reserve_funds.run, needs=("kind", "caller", "own", "model", "plan"), gives="hold"),
    Stage(prepare_request.run, needs=("request", "provider_config"), gives="prepared"),
    Stage(
        note_particulars.run,
        needs=("address", "context", "kind", "caller", "request", "plan", "hold"),
        gives="particulars",
    ),
    Stage(
        send_upstream.run,
        needs=("context", "caller", "request", "kind", "own", "model", "prepared", "plan", "hold", "particulars"),
        gives="reply",
    ),
)

_NOT_PARTS: Final = frozenset({Problem, CoroutineType})

CLOSERS: Final[tuple[Closer, ...]] = (
    settle_funds.run,
    free_key.run,
    answer_client.run,
    free_slots.run,
    release_place.run,
    emit_metrics.run,
    emit_api_metrics.run,
    keep_transcript.run,
    report_abuse_cost.run,
    ask_record.run,
    record_request.run,
)


class Guard(Protocol):
    """Blocks, one after the other, in which a bug is reported and goes no further; `failed` is about the last one."""

    failed: bool

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool: ...


async def handle(exchange: Exchange, services: Services, new_guard: Callable[[], Guard]) -> None:
    """One request from parsed bytes to the end of its answer. A bug becomes `internal_error`; closers run anyway."""
    guard = new_guard()
    with guard:
        await run_stages(exchange, services)
    if guard.failed:
        exchange.problem = Problem(Code.INTERNAL_ERROR)
    closers, failed = iter(CLOSERS), True
    while failed:  # one that fails has had its turn: what follows it goes on
        with guard:
            for closer in closers:
                waiting = closer(exchange, services)
                if waiting is not None:
                    await waiting
        failed = guard.failed


async def run_stages(exchange: Exchange, services: Services) -> None:
    """Run the stages in order until one refuses; a refusal is left in `exchange.problem`."""
    for stage in STAGES:
        result = stage.run(exchange, services)
        if result.__class__ in _NOT_PARTS:
            if result.__class__ is CoroutineType:
                result = await result
            if result.__class__ is Problem:
                exchange.problem = result
                return
        if stage.gives:
            setattr(exchange, stage.gives, result)
