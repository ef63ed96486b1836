"""Items as they are loaded: seeded, named in errors, collated; in workers and threads."""
