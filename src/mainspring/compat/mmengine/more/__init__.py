"""What only MMEngine's users look for: names that the engine itself has no use for.

These modules have no ``__all__``, as MMEngine's inner ones do not: ``import *`` gives every name
that has no underscore.
"""
