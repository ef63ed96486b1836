"""Values as text: printed configs, which read back as equal ones."""
