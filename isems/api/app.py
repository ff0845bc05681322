"""The application factory. It opens no connection and starts no thread: WSGI servers load it before they fork."""

import time
from collections.abc import Callable

from flask import Flask
from werkzeug.routing import BaseConverter

from isems.api import dashboard, health, home, metrics, predecessor, problems, push, version
from isems.api.answers import SeenTags, Streams
from isems.api.context import CLOCK, CONFIG, DASHBOARD, DATABASE, GATE, STREAMS, TAGS
from isems.api.prefix import StripPrefix
from isems.api.push_gate import Gate
from isems.api.push_store import Store, store_at_once
from isems.api.redaction import redact_logs
from isems.api.sentry import start_sentry
from isems.api.v1 import routes as v1_routes
from isems.config import Config
from isems.storage.database import Database


class NodeConverter(BaseConverter):
    """A node id in a path: anything, slashes and line ends included."""

    regex = r"[\s\S]+?"
    part_isolating = False


def create_app(
    config: Config | None = None,
    database: Database | None = None,
    store: Store | None = None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """Assemble the application; without arguments from the environment. `store` takes what is pushed.

    `clock` tells epoch seconds: for what is asked for relative to now, and for how old things are.

    Raises ConfigError for a wrong setting.
    """
    config = config or Config.from_environment()
    start_sentry(config)
    redact_logs()
    app = Flask("isems", static_folder=None)
    app.extensions[CONFIG] = config
    app.extensions[DATABASE] = database or Database(config.database_url)
    app.extensions[TAGS] = SeenTags()
    app.extensions[STREAMS] = Streams()
    app.extensions[CLOCK] = clock
    app.extensions[DASHBOARD] = dashboard.BUILD
    dashboard.check_archive(config)
    app.url_map.merge_slashes = False  # a node id may hold them
    app.url_map.converters["node"] = NodeConverter
    problems.register(app)
    app.register_blueprint(predecessor.routes)
    app.register_blueprint(v1_routes)
    app.register_blueprint(health.routes)
    app.register_blueprint(metrics.routes)
    app.register_blueprint(version.routes)
    app.register_blueprint(home.routes)
    app.register_blueprint(dashboard.routes)
    if config.push_tokens:
        app.config["MAX_CONTENT_LENGTH"] = push.MAX_BODY_BYTES
        app.extensions[GATE] = Gate(config, store or _default_store(config))
        app.register_blueprint(push.routes)
    if config.is_development:
        app.after_request(problems.allow_any_origin)
    app.wsgi_app = StripPrefix(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _default_store(config: Config) -> Store:
    return store_at_once(config, Database(config.database_url, is_durable=True))
