"""How the cost of training grows along one axis."""
