"""Circuits: which edges of a model carry an answer, and whether they alone do."""
