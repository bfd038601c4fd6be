"""Does Redis answer at all?"""

from redis.exceptions import RedisError

from tollway.storage.redis.client import open_client


async def answers(url: str, timeout_s: float) -> bool:
    """Within `timeout_s`. Raises ValueError for an address that cannot be used."""
    client = open_client(url, timeout_s)
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
