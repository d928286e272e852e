"""The contract of the store, on both engines."""
