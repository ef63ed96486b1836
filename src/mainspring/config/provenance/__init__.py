"""Where everything in a config was written, and what has changed it since."""
