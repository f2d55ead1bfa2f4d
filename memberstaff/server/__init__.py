"""Serves a schema and a host over HTTP and WebSocket; independent of attendance."""
