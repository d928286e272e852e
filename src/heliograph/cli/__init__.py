"""The command heliograph: starts, inspects and mends an installation."""
