"""What `./dev` runs in .venv beside the tests: the bill of materials, a release, a trial of the newest dependencies."""
