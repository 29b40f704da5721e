"""The models: toy transformers, those of superposition, pretrained ones, and decoders as parts."""
