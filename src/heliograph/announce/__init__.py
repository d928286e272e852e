"""Adapters that carry words out of the installation: mail, chat rooms and pagers, Alertmanager, a heartbeat."""
