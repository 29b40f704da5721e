"""Files: run directories, checkpoints, records, locks, and other libraries' state dicts."""
