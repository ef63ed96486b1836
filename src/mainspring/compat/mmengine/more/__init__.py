"""What only MMEngine's users look for: names that the engine itself has no use for."""
