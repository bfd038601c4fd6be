"""The usage journal on a local disk: one folder per worker, written on the event loop, made durable by one thread."""
