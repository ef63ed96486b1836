"""What objects remember in their attributes: found, kept with checkpoints, and put back."""
