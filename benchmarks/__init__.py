"""What a change costs until everybody has it, next to other GraphQL servers; `./dev bench` runs it."""
