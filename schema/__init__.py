"""The GraphQL schema. It imports memberstaff, never the reverse."""
