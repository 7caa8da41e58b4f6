"""What a model maker sees of a finished run: one HTML file."""
