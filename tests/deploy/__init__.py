"""What is shipped for deploying."""
