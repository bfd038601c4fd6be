"""Use cases shared by the management API and the command line."""
