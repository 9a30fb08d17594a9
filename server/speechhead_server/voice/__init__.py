"""Voices in a process of their own."""
