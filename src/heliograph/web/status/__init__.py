"""The public status page: one function draws every public file, and the server and the static copy both serve what it drew."""
