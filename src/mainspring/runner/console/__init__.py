"""What a person is told when a run begins and ends."""
