"""The demonstration's page: the contact's phone, the desk, and what the sandbox counts, side by side at one address."""
