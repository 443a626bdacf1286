"""Networks that correct the physics within bounds. Tensors and weights; no geo library."""
