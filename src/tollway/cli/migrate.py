"""`tollway migrate`: bring the database to the newest schema."""

import typer

from tollway.billing.store import StoreUnavailableError
from tollway.cli.output import refuse
from tollway.settings import SettingsError, load
from tollway.storage.migrations.run import migrate as run_migrations


def migrate() -> None:
    """Create or update the tables. Safe to run again, and by several processes at once."""
    try:
        settings = load()
        revision = run_migrations(settings.database_url)
    except (SettingsError, StoreUnavailableError) as error:
        refuse(str(error))
    except ValueError as error:
        refuse(f"database_url: {error}")
    except OSError as error:
        refuse(f"{error.filename or 'database'}: {error.strerror or error}")
    typer.echo(f"The schema is current: {revision}")
