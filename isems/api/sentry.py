"""Errors go to Sentry when the operator asked for it."""

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from isems import __version__
from isems.api.redaction import redact_event
from isems.config import Config


def start_sentry(config: Config) -> None:
    """Start reporting when SENTRY_DSN is set; without it, sentry_sdk is not even imported."""
    if config.sentry_dsn is None:
        return
    import sentry_sdk  # 3 MB and half a second that most do not need

    if sentry_sdk.is_initialized():
        return  # `flask` loaded the application before it ran a command
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(
        dsn=config.sentry_dsn,
        release=__version__,
        # Only what is used: enabling whatever can be imported costs up to 25 MB.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            AtexitIntegration(lambda _pending, _timeout: None),  # its own words would be for a developer's terminal
            DedupeIntegration(),
            ExcepthookIntegration(),
            FlaskIntegration(),
            LoggingIntegration(level=logging.WARNING, event_level=logging.ERROR),
            ThreadingIntegration(),
        ],
        # The error and its place are enough: no values of variables (node data, the database's password),
        # no bodies, no addresses of users, no counts of sessions.
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        before_send=redact_event,
        transport=None if _has_threads() else _synchronous_transport(),
    )


def _has_threads() -> bool:
    """Tell whether threads run here: uwsgi's workers have none unless asked for, and would never send a thing."""
    try:
        options = import_module("uwsgi").opt  # there only inside uwsgi
    except ImportError:
        return True
    return "threads" in options or bool(options.get("enable-threads"))


def _synchronous_transport() -> type:
    from sentry_sdk.transport import HttpTransport
    from sentry_sdk.worker import Worker

    class SynchronousWorker(Worker):
        """Sends at once, in the thread that had the error."""

        @property
        def is_alive(self) -> bool:
            return True

        def kill(self) -> None:
            """Nothing runs."""

        def full(self) -> bool:
            return False

        def submit(self, callback: Callable[[], Any]) -> bool:
            callback()
            return True

    class SynchronousTransport(HttpTransport):
        """Waits no longer for an answer than a request may."""

        TIMEOUT = 5

        def _create_worker(self, options: dict[str, Any]) -> Worker:
            return SynchronousWorker()

    return SynchronousTransport
