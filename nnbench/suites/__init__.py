"""What other projects reuse: base classes for asv, and a pytest plugin.

Importing either loads no framework: asv imports suites in many processes, pytest plugins in all.
"""
