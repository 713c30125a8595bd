"""How epochs are driven."""
