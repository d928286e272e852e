"""The messaging services that Heliograph speaks: one file each, and what they share."""
