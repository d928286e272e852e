"""Behaviour of Heliograph, asserted from outside."""
