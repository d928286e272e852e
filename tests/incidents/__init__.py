"""Incidents from the first failure to the last reply: real services, both stores, and the sandbox as judge."""
