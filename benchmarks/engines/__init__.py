"""One small adapter per engine: each trains a `Job` the way its engine's documentation shows."""
