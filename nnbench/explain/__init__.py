"""Why one training takes longer than another."""
