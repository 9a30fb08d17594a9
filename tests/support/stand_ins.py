"""Files that stand where others are expected."""

from __future__ import annotations

STAND_INS = {
    "git-LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "web page": b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n",
}
"""What an error calls them, and their content."""
