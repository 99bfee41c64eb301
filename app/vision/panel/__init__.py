"""The scratch panel: where it is, what of it lies open, whether it was scratched too hard."""
