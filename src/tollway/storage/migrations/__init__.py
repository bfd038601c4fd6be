"""Forward-only, transactional schema changes."""
