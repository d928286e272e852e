"""The drill's own parts: its judge, its toll gate, and what it draws."""
