"""From the sections of a config to the parts of a run."""
