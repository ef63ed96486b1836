"""Random numbers: generators seeded for runs, workers and items; their states kept."""
