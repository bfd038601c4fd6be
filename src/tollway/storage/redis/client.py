"""A Redis client that gives up early and repeats nothing: whoever asks has another way, and must not be held up."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECTIONS_MAX = 32


def open_client(url: str, timeout_s: float) -> Redis:
    """Nothing is contacted yet. `url`: redis://, rediss:// (TLS) or unix://. `timeout_s` bounds connecting, sending,
    each read, and waiting for one of CONNECTIONS_MAX connections. Raises ValueError for a URL we cannot use."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # a connection is ready after fewer questions
        driver_info=None,
    )
    return Redis.from_pool(pool)
