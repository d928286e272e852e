"""The process that claims lanes and hands replies to their providers."""
