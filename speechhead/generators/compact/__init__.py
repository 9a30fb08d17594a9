"""The compact generator, which ships with the library and needs no torch."""
