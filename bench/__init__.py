"""The benchmark: one job, done by Heliograph and by what teams use today, side by side in one run."""
