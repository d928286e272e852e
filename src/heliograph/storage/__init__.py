"""The stores: ledger, lanes and bodies on SQLite and PostgreSQL."""
