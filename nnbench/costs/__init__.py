"""What a network costs and why: a model fitted to measurements, and what follows from it."""
