"""What other projects reuse: base classes for asv, and a pytest plugin.

Both measure a person's own Keras models as `nnbench run` does, in worker processes, and hand the
samples to the tool that keeps them. Importing either loads no framework and nothing heavy: asv
imports a suite in every one of its many processes, and pytest a plugin in every session.
"""
