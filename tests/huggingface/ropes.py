"""Ways of turning queries and keys by position, and of layers that look back so far only."""

LINEAR = {"rope_type": "linear", "factor": 2.5, "rope_theta": 300.0}
DYNAMIC = {"rope_type": "dynamic", "factor": 3.0, "rope_theta": 300.0}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 300.0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 300.0,
}
PARTIAL = {"rope_type": "default", "rope_theta": 300.0, "partial_rotary_factor": 0.5}
SLIDING = "sliding_attention"
FULL = "full_attention"
