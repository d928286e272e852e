"""What the public may read about incidents: counts, times and words, never who."""
