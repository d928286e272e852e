"""The engine for more than one process: PostgreSQL, batches by unnest, row-level security by account."""
