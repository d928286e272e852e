"""Replays 6 August 2020 in a running demonstration, beside a connector of that time, and counts what comes of it."""
