"""GraphQL without attendance: documents, limits, execution, and subscriptions that are rendered once."""
