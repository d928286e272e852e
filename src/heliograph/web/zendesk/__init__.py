"""What Zendesk, its admins and our app there call."""
