"""The loops that pace the services."""
