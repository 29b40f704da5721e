"""The models: toy transformers, those of superposition, and what opens others through a bridge."""
