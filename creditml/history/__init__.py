"""What a recorded job is: how it stands, its logs, its steps again, and what differs between two."""
