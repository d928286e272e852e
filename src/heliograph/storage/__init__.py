"""Two engines behind one port: SQLite for one process, PostgreSQL for more."""
