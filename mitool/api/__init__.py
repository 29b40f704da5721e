"""The Python interface: the commands as functions, with results that show themselves.

What is stable of it is listed in ``mitool``, and described in ``docs/python.md``.
"""
