"""The HTTP side: workspace pages, JSON API, webhooks and health."""
