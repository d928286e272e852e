"""Faithful services of our own to develop, demonstrate and test against."""
