"""The `tollway` command: one file per group of commands."""
