"""What is said of an error: where it arose, in which process, and how to go on."""
