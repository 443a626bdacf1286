"""How good an answer is, and how far it is to be believed."""
