"""What this machine allows: its settings examined, and its noise floor measured."""
