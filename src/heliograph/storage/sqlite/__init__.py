"""The embedded engine: one file, one writing process, group commit."""
