"""What a person should look at in a run, and what their verdicts change."""
