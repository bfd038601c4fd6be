import sqlite3
from contextlib import closing
from pathlib import Path


def test_books_that_balance(acme) -> None:
    acme("credits", "grant", "10", "--user", "ann@example.com")
    assert acme("ledger", "verify").out == "The books balance.\n"
    assert acme("ledger", "verify", "--json").json == {"balanced": True, "differences": []}


def test_books_that_do_not_balance(acme, tmp_path: Path) -> None:
    id_ = acme("credits", "grant", "10", "--user", "ann@example.com", "--json").json["user_id"]
    with closing(sqlite3.connect(tmp_path / "tollway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE budgets SET limit_microdollars = limit_microdollars + 1")
    ended = acme("ledger", "verify")
    assert (ended.code, ended.err) == (1, "The books do not balance.\n")
    assert ended.out == f"credited: user:{id_}: expected $10.000000, found $10.000001\n"
    as_json = acme("ledger", "verify", "--json")
    assert as_json.code == 1
    assert '"balanced": false' in as_json.out
