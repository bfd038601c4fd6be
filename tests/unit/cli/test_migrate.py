from tollway.storage.sql.schema import SCHEMA_HEAD


def test_migrating_makes_the_other_commands_work(fresh) -> None:
    before = fresh("users", "list")
    assert before.code == 1
    assert before.err == "tollway: database_url: the schema is not current; run `tollway migrate`\n"
    for _ in range(2):
        assert fresh("migrate").out == f"The schema is current: {SCHEMA_HEAD}\n"
    assert fresh("users", "list").code == 0


def test_a_database_that_cannot_be_used_is_one_line(fresh, tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder")
    nowhere = {"TOLLWAY_DATABASE_URL": f"sqlite:///{tmp_path}/file/tollway.db"}
    garbage = {"TOLLWAY_DATABASE_URL": f"sqlite:///{tmp_path}/file"}
    closed = {"TOLLWAY_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nothing"}
    wrong = {"TOLLWAY_DATABASE_URL": "sqlite:///:memory:"}
    unknown = {"TOLLWAY_NONSENSE": "1"}
    for environment in (nowhere, garbage, closed, wrong, unknown):
        for words in (["migrate"], ["users", "list"]):
            ended = fresh(*words, **environment)
            assert (ended.code, ended.out) == (1, ""), environment
            assert ended.err.startswith("tollway: ")
            assert ended.err.count("\n") == 1
            assert "secret" not in ended.err
