"""The commands: each reads its options, calls one function of the library and prints its result."""
