"""Webhook bodies that are nearly right, a million of them, through the whole way into the store."""
