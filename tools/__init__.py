"""Tools for those who work on Heliograph; not part of the package."""
