"""What the command line prints: tables for a person, plain data for scripts. One file a subject."""
