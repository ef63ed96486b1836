"""MMEngine's name for mainspring: once this is imported, ``import mmengine`` gives mainspring.

Every ``mmengine.a.b`` is the module ``mainspring.a.b`` itself, and where our files lie elsewhere,
their names are found at MMEngine's paths. Losses are MMEngine's to the last digit. Processes that
this one starts have the alias too. `mainspring exec` does it for a script that does not know us.
"""

from mainspring.compat.mmengine.finder import install

install()
