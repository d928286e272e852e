"""The desk and the demonstration, tried in a real browser against the sandbox."""
