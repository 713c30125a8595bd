"""The machine: its devices, what a measurement depends on, what else it does meanwhile."""
