"""Late fusion: experts of one sensor each, and the rules that join them."""
