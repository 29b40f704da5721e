"""What the command line and the Python interface both do, once they know what is asked for."""
