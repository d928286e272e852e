"""What deploy/ ships for watching an installation: rules and a dashboard, against the numbers that there really are."""
