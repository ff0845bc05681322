"""Who may push by HTTP, and how often."""

import logging
import math
import time
from collections.abc import Callable
from hmac import compare_digest
from ipaddress import ip_address, ip_network

from werkzeug.exceptions import Forbidden, TooManyRequests

from isems.api.push_store import Store
from isems.api.rate import RateLimit
from isems.config import Config, PushToken, digest_token

log = logging.getLogger(__name__)


class Gate:
    """Lets in who has a token; `clock` tells seconds from any beginning."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.tokens = config.push_tokens
        self.prefixes = config.mqtt_prefixes
        self.store = store
        self._clock = clock
        #: A board sends once in 65 s; a script that brings years of logs may go on for a while.
        self._payloads = RateLimit(per_minute=60, burst=120)
        self._wrong_tokens = RateLimit(per_minute=10, burst=20)
        self._told = RateLimit(per_minute=1 / 60, burst=1)

    def find_token(self, text: str) -> PushToken:
        """Give the token that is written so.

        Raises Forbidden where it is none, in the same words and after the same time for each.
        """
        digest = digest_token(text)
        found = [token for token in self.tokens if compare_digest(token.digest, digest)]
        if not found:
            raise Forbidden("the path does not hold a token that may push here")
        return found[0]

    def count_wrong_token(self, client: str) -> None:
        """Note a wrong token. Raises TooManyRequests when a client had too many.

        A right token is never held up by them: behind a reverse proxy all clients have one address.
        """
        network = _network_of(client)
        _check(self._wrong_tokens.take(network, self._clock()), "wrong tokens from this address")
        if not self._told.take(network, self._clock()):
            log.warning("%s: tried to push with a token that ISEMS_PUSH_TOKENS does not name", client)

    def count_payload(self, token: PushToken, node: str | None) -> None:
        """Note a payload. Raises TooManyRequests when there were too many of this token and node."""
        _check(self._payloads.take((token.digest, node), self._clock()), "requests with this token for this node")


def _check(wait: float, what: str) -> None:
    if wait:
        seconds = math.ceil(wait)
        raise TooManyRequests(f"too many {what}: wait {seconds} s", retry_after=seconds)


def _network_of(client: str) -> str:
    """Give what one client can change its address within: on IPv6 the last 64 bits."""
    try:
        address = ip_address(client)
    except ValueError:  # a unix socket
        return client
    if address.version == 4:
        return client
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
