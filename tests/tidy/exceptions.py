"""Where a rule of the house is set aside, each with its reason. An entry that is no longer needed fails the tests."""

# Longer than 300 lines.
LONG_FILES: dict[str, str] = {
    "gateway/relay.py": "one state machine; its parts would share every attribute",
    "http/reader.py": "one reader with three ways to read a head; they would share every attribute",
    "settings.py": "every knob, one after another, and how the tree is read",
    "storage/sql/tables.py": "the schema, table after table",
}

# Catch every exception, besides http/guard.py.
CATCH_ALL: dict[str, str] = {
    "storage/sql/lane.py": "hands whatever it is to the future of the one who waits; nothing is swallowed",
}

_WORDS = "only names, fields and protocols; nothing runs"
_TOGETHER = "puts parts together; tests/flow runs the real program"
_EDGE = "sockets and bytes; tests/flow speaks to it from outside"
_SIM = "sockets and bytes of the stand-in; tests/flow/test_sim.py speaks to it from outside"
_CLIENT = "a command; tests/flow/test_client_commands.py runs it, on a terminal and without one"
_SQL = "SQL; tests/contract runs it on SQLite and PostgreSQL"
_REDIS = "Redis; tests/contract runs it against a real server"
_SCHEMA = "schema; tests/contract/test_schema.py builds it on both databases and compares"

# Without a unit test of their own name.
WITHOUT_UNIT_TEST: dict[str, str] = {
    "__init__.py": "the version number",
    "__main__.py": _TOGETHER,
    "admin/records.py": _WORDS,
    "admin/store.py": _WORDS,
    "app.py": _TOGETHER,
    "billing/store.py": _WORDS,
    "catalog/store.py": _WORDS,
    "cli/children.py": _TOGETHER,
    "cli/database.py": _TOGETHER,
    "cli/demo.py": _TOGETHER,
    "cli/prices.py": _TOGETHER,
    "cli/serve.py": _TOGETHER,
    "cli/sim.py": _TOGETHER,
    "cli/start.py": _TOGETHER,
    "cli/supervisor.py": _TOGETHER,
    "cli/worker.py": _TOGETHER,
    "cli/auth.py": _CLIENT,
    "cli/client_session.py": _CLIENT,
    "cli/device_login.py": _CLIENT,
    "cli/key_input.py": _CLIENT,
    "cli/models.py": _CLIENT,
    "cli/provider_picker.py": _CLIENT,
    "cli/well_known.py": _CLIENT,
    "client/errors.py": _WORDS,
    "gateway/reply.py": _WORDS,
    "gateway/services.py": _WORDS,
    "http/asgi.py": _EDGE,
    "http/listener.py": _EDGE,
    "http/routes.py": _WORDS,
    "http/server.py": _EDGE,
    "identity/caller.py": _WORDS,
    "identity/store.py": _WORDS,
    "limits/store.py": _WORDS,
    "providers/client_access.py": _WORDS,
    "sim/__main__.py": _SIM,
    "sim/chat.py": _SIM,
    "sim/connection.py": _SIM,
    "sim/framing.py": "its steps are looked at as whole plans, in tests/unit/sim/test_plan.py",
    "sim/inbound.py": _WORDS,
    "sim/program.py": _SIM,
    "sim/server.py": _SIM,
    "sim/steps.py": _WORDS,
    "storage/migrations/env.py": _SCHEMA,
    "storage/migrations/run.py": _SCHEMA,
    "storage/migrations/versions/r0001_first_road.py": _SCHEMA,
    "storage/migrations/versions/r0002_leases.py": _SCHEMA,
    "storage/migrations/versions/r0003_idempotency_keys.py": _SCHEMA,
    "storage/migrations/versions/r0005_organization_facts.py": _SCHEMA,
    "storage/migrations/versions/r0006_own_upstreams.py": _SCHEMA,
    "storage/migrations/versions/r0004_free_model_usage.py": _SCHEMA,
    "storage/redis/client.py": _REDIS,
    "storage/redis/scripts.py": _REDIS,
    "storage/redis/windows.py": _REDIS,
    "storage/sql/admin/credits.py": _SQL,
    "storage/sql/admin/keys.py": _SQL,
    "storage/sql/admin/organizations.py": _SQL,
    "storage/sql/admin/rows.py": _SQL,
    "storage/sql/admin/store.py": _SQL,
    "storage/sql/admin/users.py": _SQL,
    "storage/sql/billing.py": _SQL,
    "storage/sql/books.py": _SQL,
    "storage/sql/budgets.py": _SQL,
    "storage/sql/bulk.py": _SQL,
    "storage/sql/catalog.py": _SQL,
    "storage/sql/changes.py": _SQL,
    "storage/sql/claims.py": _SQL,
    "storage/sql/corrections.py": _SQL,
    "storage/sql/database.py": _SQL,
    "storage/sql/entries.py": _SQL,
    "storage/sql/free_use.py": _SQL,
    "storage/sql/identity.py": _SQL,
    "storage/sql/insertion.py": _SQL,
    "storage/sql/leases.py": _SQL,
    "storage/sql/own_tables.py": _SCHEMA,
    "storage/sql/owned.py": _SQL,
    "storage/sql/packed.py": _SQL,
    "storage/sql/schema.py": _SCHEMA,
    "storage/sql/settlement.py": _SQL,
    "storage/sql/tables.py": _SCHEMA,
    "storage/sql/usage.py": _SQL,
    "storage/sql/usage_rows.py": _SQL,
    "storage/sql/workers.py": _SQL,
    "upstream/model_list.py": "tests/vectors/test_catalog_fastrouter.py asks real connections through it",
    "upstream/question.py": "every request of tests/unit/upstream/test_device_login.py goes through it",
}
