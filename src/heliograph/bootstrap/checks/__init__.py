"""What `heliograph check` looks at, and what each finding is called."""
