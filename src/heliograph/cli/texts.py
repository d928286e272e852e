"""What the help says of commands whose own modules are slow to import."""

UP = """Run everything in one process: store, web and worker.

Without a data folder this is a demonstration: a sandbox plays the messaging services and a small shop answers its customers. It
needs nothing, reaches nobody, keeps its data in a temporary folder, and all of it is gone when it stops.

With a data folder it is the real thing. Stop it whenever you like: what waits is kept, and goes out in order at the next start.

For example:

  heliograph up                     the demonstration
  heliograph up --data ./desk       a real one; makes the folder and a master key the first time

Exit codes: 0 stopped by a signal · 1 could not start · 2 the command was not understood."""

SERVE = """Serve the desk, the API, webhooks and vitals, and deliver nothing.

For PostgreSQL, beside one or more `heliograph work`. On SQLite one process does everything: use `heliograph up`.

For example: HELIOGRAPH_DATABASE_URL=postgresql://… heliograph serve --port 8080

Exit codes: 0 stopped by a signal · 1 could not start · 2 the command was not understood."""

WORK = """Deliver replies, settle what is unknown, probe channels and poll; no web.

For PostgreSQL, any number of times. On SQLite it refuses to run beside another process that works on the same store.

For example: HELIOGRAPH_DATABASE_URL=postgresql://… heliograph work

Exit codes: 0 stopped by a signal · 1 could not start · 2 the command was not understood."""

DRILL = """Replay 6 August 2020 with real processes against the sandbox, and print our figures beside those of 2020.

It touches no installation of yours: each scenario has a folder, a database and a messaging service of its own.

For example:

  heliograph drill
  heliograph drill A D --server postgresql://localhost/postgres
  heliograph drill --random 20 --seed 7

Exit codes: 0 every bar was held · 1 one was missed, which is told · 2 the command was not understood."""
