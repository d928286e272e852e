"""What operators see and do: incidents, and what is told about them."""
