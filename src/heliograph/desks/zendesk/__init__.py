"""Zendesk as the desk, through its Channel Framework."""
