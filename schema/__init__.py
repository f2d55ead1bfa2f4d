"""What clients see: the GraphQL schema. It imports memberstaff, never the reverse."""
