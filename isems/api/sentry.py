"""Errors go to Sentry when the operator asked for it."""

from isems import __version__
from isems.config import Config


def start_sentry(config: Config) -> None:
    """Start reporting when SENTRY_DSN is set; without it, sentry_sdk is not even imported."""
    if config.sentry_dsn is None:
        return
    import sentry_sdk  # 3 MB and half a second that most do not need
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=config.sentry_dsn,
        release=__version__,
        # Only what is used: enabling whatever can be imported costs up to 25 MB.
        auto_enabling_integrations=False,
        integrations=[FlaskIntegration(), LoggingIntegration()],
        send_default_pii=False,
    )
