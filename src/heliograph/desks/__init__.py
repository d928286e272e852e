"""The ticket desks behind the desk port."""
