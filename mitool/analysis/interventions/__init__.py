"""What interventions are made of: runs of a model, and ways to go on from the middle of one."""
