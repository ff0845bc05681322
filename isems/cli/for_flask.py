"""What `flask` gets of the commands: those that the predecessor had."""

import sys
from typing import NoReturn

import click
from flask import Flask

from isems.cli.base import MISUSED, say_and_exit
from isems.cli.collecting import subscribe, update_data
from isems.cli.database import db, upgrade


def add_commands(app: Flask) -> None:
    """Give `flask` the commands that the predecessor had."""
    for command in (update_data, subscribe, db):
        app.cli.add_command(command)
    app.extensions["migrate"] = _FlaskMigrate()


class _FlaskMigrate:
    """What the predecessor's Flask-Migrate asks, when its `flask db upgrade` runs instead of ours.

    `pip install -r requirements.txt` leaves it in the virtual environment, and `flask` prefers a package's command to
    the application's. Its first question to the application is for this extension.
    """

    @property
    def migrate(self) -> "_FlaskMigrate":
        return self

    def get_config(self, *_: object, **__: object) -> NoReturn:
        """Do in its place what was asked for."""
        if click.get_current_context().info_name != "upgrade":
            say_and_exit("of the commands of 'flask db' there is only 'upgrade'", MISUSED)
        sys.exit(upgrade.main([], prog_name="flask db upgrade"))
