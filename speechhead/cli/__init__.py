"""The command line, the roof of the library."""
