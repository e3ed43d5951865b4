"""Which way of combining reward and teacher works: all methods, tasks and students, several seeds.

``cells`` and ``entrants`` say what is compared, ``pieces`` what one process does of it; ``pool``
runs the pieces and ``plan`` decides what follows from what; ``outcome`` is what is kept;
``statistics`` reads it, ``tables``, ``pictures`` and ``page`` show it.
"""
