"""The `mainspring` command; a file per verb."""
