"""The fuzzer: generated and mutated input from strangers and accounts, while a client that behaves is watched over."""
