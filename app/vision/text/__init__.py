"""Lines of text: where they stand, and what each engine reads in them, step by step."""
