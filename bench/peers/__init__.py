"""What Heliograph is measured against: the bare client, and durable queues that teams use for this job."""
