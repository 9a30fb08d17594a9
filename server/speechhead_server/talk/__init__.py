"""Conversations: what a visitor says or writes, who answers, and whose turn it is."""
