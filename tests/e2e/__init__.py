"""Real processes, real sockets, real databases: what the promise says, seen from outside."""
