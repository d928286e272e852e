"""What people are told about trouble, in their language: every rendering is made from one fact record and nothing else."""
