"""Fills a PostgreSQL database with usage as a large deployment has it after 400 days; `usage_rows.py` reads it.

2,000 users, 50 organizations of which one has 30 % of all requests, 5,000 keys, 60 models of which everybody uses few.
Rows of usage, metadata, ledger and free use are made by the database itself; the books of it balance.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

DAYS: Final = 400
HOT: Final = "00000000-0000-4000-8000-000000000000"  # the organization with 30 % of the rows
RARE_MODEL: Final = "vendor/model-59"  # one request in 100,000, and nobody's favourite
_AT_ONCE: Final = 1_000_000

# Three shares: the hot organization's 300 members, 1,100 members of 49 others, 600 users on their own. Within each some
# do more than others. Nine of ten requests go to one of the user's three models, and most come with the first key.
_USAGE: Final = """
INSERT INTO usage (id, user_id, organization_id, key_id, provider_id, requested_model, model, upstream_model,
    inference_provider, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, basis,
    cost_microdollars, absorbed_microdollars, market_cost_microdollars, list_cost_microdollars,
    reported_cost_microdollars, worst_case_microdollars, hold_microdollars, lookups, price_version, prompt_usd,
    completion_usd, has_error, usage_day, budgets, created_at)
SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || 'c0ffee00000' || n % 8
        || lpad(to_hex(n), 8, '0'),
    'user-' || member, organization, 'key-' || member || '-' || floor(key_draw ^ 6 * (2 + member % 2)), 'openrouter',
    'vendor/model-' || model, 'vendor/model-' || model, 'vendor/model-' || model || '-2026', 'Vendor', prompt,
    completion, prompt / 2, prompt / 10, completion / 3, CASE WHEN n % 97 = 0 THEN 'estimated' ELSE 'reported' END,
    cost, 0, cost, cost, cost, cost * 20, cost * 20, CASE WHEN n % 97 = 0 AND n > %(rows)s * 0.9995 THEN 0 END,
    'openrouter/vendor/model-' || model || '@2026-01-01', '0.000000125', '0.00000150', n % 50 = 0,
    (at AT TIME ZONE 'UTC')::date,
    CASE WHEN organization IS NULL THEN '["user:user-' || member || '"]'
         ELSE '["organization:' || organization || '"]' END, at
FROM (
    SELECT *, CASE WHEN n % 10 = 0 THEN 0 ELSE (prompt * 125 + completion * 1500) / 1000 END AS cost,
        CASE WHEN member < 300 THEN %(hot)s
             WHEN member < 1400 THEN '00000000-0000-4000-8000-' || lpad((1 + member % 49)::text, 12, '0') END
            AS organization,
        CASE WHEN n % 100000 = 77 THEN 59
             WHEN any_draw < 0.1 THEN floor(any_draw * 590)::int
             ELSE (member * 7 + floor(model_draw ^ 2 * 3)::int) % 59 END AS model
    FROM (
        SELECT n, %(begin)s::timestamptz + n * (%(span)s::interval / %(rows)s) AS at, random() AS key_draw,
            random() AS any_draw, random() AS model_draw, 200 + floor(random() ^ 3 * 60000)::bigint AS prompt,
            20 + floor(random() ^ 3 * 4000)::bigint AS completion,
            (CASE WHEN share < 0.3 THEN floor(random() ^ 1.5 * 300)
                  WHEN share < 0.7 THEN 300 + floor(random() ^ 1.5 * 1100)
                  ELSE 1400 + floor(random() ^ 1.5 * 600) END)::int AS member
        FROM (SELECT n, random() AS share FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS shares
    ) AS draws
) AS drawn
"""
_METADATA: Final = """
INSERT INTO usage_metadata (id, message_id, status_code, streamed, cancelled, finish_reason, is_byok, route, attempts,
    prompt_tokens_max, completion_tokens_max, latency_ms, origin_id, session_id, max_tokens, system_prompt_length, rule)
SELECT id, 'gen-' || right(id, 24), CASE WHEN has_error THEN 502 ELSE 200 END, true, false, 'stop', false,
    '["openrouter/' || upstream_model || '"]', '["openrouter:200"]', prompt_tokens + 200, 4096, 1234,
    md5(user_id || right(id, 1)), 'session-' || user_id || usage_day, 4096, 9000, 'default'
FROM usage WHERE id > %(after)s
"""
_ENTRIES: Final = """
INSERT INTO ledger_entries (source_id, kind, debit_account, credit_account, amount_microdollars, created_at)
SELECT id, 'charge', budgets::json ->> 0, 'system:revenue', cost_microdollars, created_at
FROM usage WHERE id > %(after)s AND cost_microdollars > 0
"""
_REST: Final = (
    """INSERT INTO users (id, email, name, created_at, updated_at)
       SELECT 'user-' || n, 'user-' || n || '@example.com', 'User', now(), now() FROM generate_series(0, 1999) AS n""",
    """INSERT INTO organizations (id, name, plan, settings, created_at, updated_at)
       SELECT '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), 'Organization', 'teams', '{}', now(), now()
       FROM generate_series(0, 49) AS n""",
    """INSERT INTO ledger_accounts (id, kind, created_at)
       SELECT account, split_part(account, ':', 1), now() FROM (
           SELECT DISTINCT debit_account AS account FROM ledger_entries UNION
           VALUES ('system:revenue'), ('system:grants')) AS named ON CONFLICT DO NOTHING""",
    """INSERT INTO credit_transactions (id, user_id, organization_id, amount_microdollars, is_free, created_at)
       SELECT 'credit-' || id, CASE WHEN kind = 'user' THEN split_part(id, ':', 2) END,
           CASE WHEN kind = 'organization' THEN split_part(id, ':', 2) END, 1000000000000, true, now()
       FROM ledger_accounts WHERE kind <> 'system'""",
    """INSERT INTO ledger_entries (source_id, kind, debit_account, credit_account, amount_microdollars, created_at)
       SELECT 'credit-' || id, 'grant', 'system:grants', id, 1000000000000, now()
       FROM ledger_accounts WHERE kind <> 'system'""",
    """INSERT INTO budgets (id, kind, limit_microdollars, spent_microdollars, held_microdollars, updated_at)
       SELECT debit_account, split_part(debit_account, ':', 1), 1000000000000, sum(amount_microdollars), 0, now()
       FROM ledger_entries WHERE kind = 'charge' GROUP BY debit_account""",
    """INSERT INTO usage_origins (id, feature, mode, user_agent, has_tools, has_middle_out)
       SELECT DISTINCT origin_id, 'cli', 'code', 'Agent/1', true, false FROM usage_metadata""",
    """INSERT INTO free_model_usage (id, address_hash, model, user_id, created_at)
       SELECT id, md5(user_id || usage_day), model, CASE WHEN prompt_tokens % 2 = 0 THEN user_id END, created_at
       FROM usage WHERE has_error OR right(id, 1) = '0'""",
)


@dataclass(frozen=True, slots=True)
class Filled:
    """What there is now: the last instant of a row, and how long each step took in seconds."""

    until: datetime
    steps: tuple[tuple[str, float], ...]


def fill(url: str, rows: int) -> Filled:
    """Into a migrated database without any rows. Secondary indexes of usage are made afterwards, which is faster."""
    until = datetime.now(UTC).replace(microsecond=0)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # no foreign keys are looked at row by row
        connection.execute("SET maintenance_work_mem = '512MB'")
        return Filled(until, tuple(_timed(connection, rows, until)))


def _timed(connection: psycopg.Connection, rows: int, until: datetime) -> Iterator[tuple[str, float]]:
    begun = time.perf_counter()
    indexes = _drop_indexes(connection)
    _fill_usage(connection, rows, until)
    yield "usage, metadata, ledger", time.perf_counter() - begun
    begun = time.perf_counter()
    for statement in (*_REST, *indexes):
        connection.execute(statement)
    yield "the rest and indexes", time.perf_counter() - begun
    begun = time.perf_counter()
    connection.execute("VACUUM ANALYZE")
    yield "vacuum, analyze", time.perf_counter() - begun


def _drop_indexes(connection: psycopg.Connection) -> list[str]:
    """Those of usage that are no constraints. Returns the statements that make them."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'usage' AND indexname LIKE 'ix_%'"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [definition for _, definition in found]


def _fill_usage(connection: psycopg.Connection, rows: int, until: datetime) -> None:
    connection.execute("SELECT setseed(0.5)")
    span = timedelta(days=DAYS)
    about = {"hot": HOT, "begin": until - span, "span": span, "rows": rows}
    for first in range(1, rows + 1, _AT_ONCE):
        after = connection.execute("SELECT coalesce(max(id), '') FROM usage").fetchone()
        last = min(first + _AT_ONCE - 1, rows)
        # The client puts the values in: the server would not know the types of all of them.
        psycopg.ClientCursor(connection).execute(_USAGE.replace("% ", "%% "), {**about, "first": first, "last": last})
        for statement in (_METADATA, _ENTRIES):
            psycopg.ClientCursor(connection).execute(statement, {"after": after[0] if after else ""})
