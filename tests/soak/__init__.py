"""The checker: many writers and watchers under faults, then a verdict over what each of them saw."""
