"""What is read off the ledger."""
