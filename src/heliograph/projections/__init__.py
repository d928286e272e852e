"""What is read out of events: timelines, counts, impact. Pure."""
