"""What many processes share: Redis 7 or Valkey, one atomic script for each decision."""
