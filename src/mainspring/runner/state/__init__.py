"""What a checkpoint holds of a run: how it is taken, and put back."""
