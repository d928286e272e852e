"""Heliograph connects a ticket desk to social messaging and never loses an agent's reply."""
