"""Drills: a page of docs/ is done step by step, with the very commands that it shows."""
