"""What watches the first attempts of distinct messages, and says when they fail more often than usual. Pure."""
