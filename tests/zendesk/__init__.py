"""Zendesk as the desk, from outside: a real Heliograph, a simulated Zendesk, a simulated provider."""
