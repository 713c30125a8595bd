"""What is trained: the notation, a case, data sets, and the Keras model."""
