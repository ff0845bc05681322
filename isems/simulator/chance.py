"""Chance without state: the same seed, subject and instant always give the same number."""

from functools import lru_cache
from hashlib import blake2b
from random import Random

#: Entries of a noise table; a power of two, so that picking one costs a mask.
NOISE_SIZE = 4096
NOISE_MASK = NOISE_SIZE - 1
#: Odd, so that consecutive instants visit every entry of a table in a scattered order.
NOISE_STRIDE = 1597


def chance(*subject: object) -> float:
    """Give a number in [0, 1) that depends on nothing but the subject's text (say seed, node, day)."""
    digest = blake2b(repr(subject).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / float(1 << 56)


def pick(low: float, high: float, *subject: object) -> float:
    """Give a number in [low, high) by chance."""
    return low + (high - low) * chance(*subject)


@lru_cache(maxsize=512)
def noise_table(seed: int, node: str) -> tuple[float, ...]:
    """Give a node's noise in [-1, 1); entry ``t * NOISE_STRIDE & NOISE_MASK`` belongs to instant `t`."""
    # Seeding with text goes through SHA-512 and is the same in every process, unlike `hash`.
    generator = Random(f"{seed}/{node}")
    return tuple(generator.random() * 2.0 - 1.0 for _ in range(NOISE_SIZE))
