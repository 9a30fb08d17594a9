"""The compact generator's trainer."""
