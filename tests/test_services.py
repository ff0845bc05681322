"""The test databases themselves."""

from urllib.parse import unquote

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import text

from tests.services import POSTGRESQL, PostgresServer, Service, describe_skipped, require_service


@pytest.mark.parametrize("run", ["first", "second"])
def test_every_test_has_an_empty_database_that_can_be_written(database_url: str, run: str) -> None:
    engine = sqlalchemy.create_engine(database_url)
    with engine.begin() as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []
        connection.execute(text("CREATE TABLE note (word TEXT)"))
        connection.execute(text("INSERT INTO note VALUES (:run)"), {"run": run})
    engine.dispose()


def test_a_database_is_dropped_even_while_somebody_is_connected(postgres_server: PostgresServer) -> None:
    with postgres_server.empty_database() as url:
        name = sqlalchemy.make_url(url).database
        held = psycopg.connect(host=str(postgres_server.folder), port=5432, user="postgres", dbname=name)
    with pytest.raises(psycopg.OperationalError):
        held.execute("SELECT 1")
    held.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(host=str(postgres_server.folder), port=5432, user="postgres", dbname=name)


def test_the_server_listens_on_no_network_address(postgresql_url: str) -> None:
    engine = sqlalchemy.create_engine(postgresql_url)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW listen_addresses")).scalar_one() == ""
        assert connection.execute(text("SHOW unix_socket_directories")).scalar_one() in unquote(postgresql_url)
    engine.dispose()


ABSENT = Service("Absent", lambda: None)


def test_a_missing_service_fails_where_ci_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="make test-services"):
        require_service(ABSENT)


def test_a_missing_service_is_skipped_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make test-services"):
        require_service(ABSENT)


def test_a_run_without_a_service_ends_with_what_was_skipped_and_how_to_install_it() -> None:
    def skipped(reason: str) -> pytest.TestReport:
        return pytest.TestReport("t", ("t.py", 1, "t"), {}, "skipped", ("t.py", 1, f"Skipped: {reason}"), "setup")

    other = skipped("only on Fridays")
    missing = skipped(POSTGRESQL.missing)
    assert describe_skipped([missing, other, missing]) == [f"2 tests skipped: {POSTGRESQL.missing}"]
    assert describe_skipped([other]) == []
