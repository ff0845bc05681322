"""What is running here."""

import re
import sys
from functools import cache
from pathlib import Path

import msgspec
from flask import Blueprint, Response

from isems import __version__
from isems.api import context
from isems.config import CHECKOUT
from isems.errors import StorageError
from isems.storage.database import read_version
from isems.storage.schema import HEAD

routes = Blueprint("version", __name__)

REVISION = re.compile(r"[0-9a-f]{40,64}")


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/version`."""

    version: str
    #: Of the checkout's git, where there is one.
    revision: str | None
    #: The version of the tables that this program needs, and that of the database; None where it cannot be read.
    schema: str
    database_schema: str | None
    database: str
    python: str


@routes.get("/version")
def get_version() -> Response:
    """Tell which version runs on what; works with an older database, too."""
    return Response(msgspec.json.encode(describe_version(_database_schema())), mimetype="application/json")


def describe_version(database_schema: str | None) -> Version:
    """Give which version runs on what."""
    return Version(
        version=__version__,
        revision=read_revision(CHECKOUT),
        schema=HEAD,
        database_schema=database_schema,
        database=context.database().kind,
        python=".".join(map(str, sys.version_info[:3])),
    )


def _database_schema() -> str | None:
    try:
        with context.database().read_any_version() as connection:
            return read_version(connection)
    except StorageError:
        return None


@cache
def read_revision(checkout: Path) -> str | None:
    """Give the commit that a checkout was on when it was first asked for, without calling git; None where unknown."""
    try:
        # A further worktree of git has a file there, and its references lie with the first one's.
        git = _follow(checkout / ".git", checkout / ".git")
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        name = head.removeprefix("ref: ")
        text = head if name == head else _read_reference(_follow(git / "commondir", git), name)
    except (OSError, UnicodeDecodeError):  # not a checkout, or another user's
        return None
    return text if REVISION.fullmatch(text) else None


def _follow(file: Path, folder: Path) -> Path:
    """Give the folder that a file names; where there is no such file, `folder`."""
    if not file.is_file():
        return folder
    return file.parent / file.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")


def _read_reference(git: Path, name: str) -> str:
    if (git / name).is_file():
        return (git / name).read_text(encoding="ascii").strip()
    packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
