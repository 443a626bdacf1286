"""What the fusion families share."""
