"""Clean and corrupted inputs side by side: read from files, or made for a model."""
