"""What can be a seed."""

MOST_SEED = 2**63 - 1
"""The largest that torch takes."""
