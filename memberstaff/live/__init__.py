"""The live path: the doorbell between processes, and the feed of each watched day."""
