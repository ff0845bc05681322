"""What `flask` and WSGI servers load: `app`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  said in words instead of a syntax error deep inside
    sys.exit("The ISEMS data collector needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")

from isems.api.app import create_app
from isems.cli import add_commands, exit_on_errors

with exit_on_errors():
    app = create_app()
    add_commands(app)
