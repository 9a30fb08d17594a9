"""Talking-head footage in, sharded training samples out: cuts, one face, crops, landmarks, sound in sync."""
