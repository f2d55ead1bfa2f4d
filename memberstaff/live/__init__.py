"""The feed: the changes of each watched day, in order and without gaps."""
