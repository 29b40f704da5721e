"""What a user sees while a command works: progress, notes, and the terminal that they go to."""
