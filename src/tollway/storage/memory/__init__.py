"""What is kept in the process: fast, exact for one process, gone with it."""
