"""The built-in desk: pages on which agents read tickets, answer them and see what became of every reply."""
