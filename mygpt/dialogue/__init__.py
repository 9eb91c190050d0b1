"""What is said, as pure values."""
