"""The HTTP and WebSocket shell: it is handed a schema and a host, and knows nothing of attendance."""
