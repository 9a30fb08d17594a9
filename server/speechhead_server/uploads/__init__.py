"""Uploads, decoded in processes that can be killed."""
