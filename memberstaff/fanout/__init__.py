"""Render once, send to many: groups of equal subscribers."""
