"""One SQLAlchemy Core text for SQLite and PostgreSQL."""
