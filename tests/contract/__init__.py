"""What clients may rely on."""
