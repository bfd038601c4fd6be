"""What must be true before anything serves: providers and preset configured, schema current, master
keys those that stored secrets need, prices there."""

import asyncio

from tollway.catalog.assemble import own_prices
from tollway.cli.master_keys import check_master_keys
from tollway.cli.prices import seed_prices
from tollway.clock import utc_now
from tollway.identity.promotions import read_promotions
from tollway.providers.registry import configured
from tollway.settings import Settings, SettingsError
from tollway.storage.presets import load_preset
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import open_database
from tollway.storage.sql.schema import schema_is_current


async def prepare(settings: Settings) -> None:
    """Check what a worker relies on. Raises SettingsError or StoreUnavailableError with one clear line."""
    preset = load_preset(settings.preset)
    read_promotions(preset.promotions)
    configured(settings, preset=preset)
    settings.pepper()
    settings.hash_secret()
    settings.anonymous_key()
    settings.jwt_secret()
    try:
        database = open_database(settings.database_url, pool_size=1)
    except ValueError as error:
        raise SettingsError(f"database_url: {error}") from None
    try:
        if not await schema_is_current(database):
            if not settings.migrate_on_start:
                raise SettingsError("database_url: the schema is not current; run `tollway migrate`")
            from tollway.storage.migrations.run import migrate  # lazy: Alembic takes half a second, once per version

            await asyncio.to_thread(migrate, settings.database_url)
        prices, now = SqlPrices(database), utc_now()
        await check_master_keys(settings, database, now)
        await seed_prices(prices, now)
        await prices.add(own_prices(settings, now, preset.hosted_models))
    finally:
        await database.close()
