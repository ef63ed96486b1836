"""Other libraries' names for what the engine does; the engine imports none of this."""
