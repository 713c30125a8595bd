"""Parameters, FLOPs and bytes of any network, by a rule for each kind of Keras layer."""
