"""The commands. `isems` has them all; `add_commands` gives `flask` those that the predecessor had."""

from isems.cli import collecting, database, exporting, listing, serving, simulating  # each adds its commands
from isems.cli.base import exit_on_errors, main, prepare_process
from isems.cli.for_flask import add_commands

__all__ = [
    "add_commands",
    "collecting",
    "database",
    "exit_on_errors",
    "exporting",
    "listing",
    "main",
    "prepare_process",
    "serving",
    "simulating",
]
