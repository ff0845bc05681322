"""DATABASE_URL: what is understood, and where relative paths start."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from isems.config import database, sqlite_url, values
from tests.config.reading import read, refusal

ROOT = Path(__file__).resolve().parents[2]


def test_whether_a_database_was_named_is_known(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"sqlite:///{tmp_path / 'isems.db'}\n")
    assert read(DATABASE_URL="sqlite:///isems.db").is_database_named
    assert read(DATABASE_URL_FILE=str(file)).is_database_named
    assert not read(DATABASE_URL=" ").is_database_named


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_usual_spelling_of_postgresql_is_understood(scheme: str) -> None:
    config = read(DATABASE_URL=f"{scheme}://isems:ge%2Fheim@db:5433/isems?sslmode=require")
    assert config.database_url == "postgresql+psycopg://isems:ge%2Fheim@db:5433/isems?sslmode=require"


def test_a_socket_in_the_query_of_a_postgresql_url_survives() -> None:
    url = make_url(read(DATABASE_URL="postgresql://isems@/isems?host=%2Frun%2Fpg").database_url)
    assert url.query == {"host": "/run/pg"}
    assert (url.username, url.database) == ("isems", "isems")


def test_a_password_in_the_query_goes_where_messages_leave_it_out() -> None:
    url = make_url(read(DATABASE_URL="postgresql://isems@db/isems?password=ge/heim&sslmode=require").database_url)
    assert url.password == "ge/heim"
    assert "heim" not in url.render_as_string(hide_password=True)
    assert url.query == {"sslmode": "require"}


def test_postgresql_without_its_driver_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda _: None)
    assert "psycopg" in refusal(DATABASE_URL="postgresql://db/isems")


def test_a_relative_path_starts_in_the_checkout_wherever_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(DATABASE_URL="sqlite:///here.db").database_url == f"sqlite:///{ROOT / 'here.db'}"


def test_a_relative_path_starts_in_the_current_folder_where_there_is_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    assert read(DATABASE_URL="sqlite:///here.db").database_url == f"sqlite:///{tmp_path / 'here.db'}"


@pytest.mark.parametrize("name", ["isems.db", "with blank.db", "100%.db", "ü.db", "a%41?b#.db"])
def test_an_absolute_path_is_kept_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert make_url(read(DATABASE_URL=sqlite_url(path)).database_url).database == str(path)
