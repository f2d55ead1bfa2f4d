"""Render once, send to many: groups of equal subscribers, and what they are sent."""
