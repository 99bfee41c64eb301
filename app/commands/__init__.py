"""One module a command: `add_arguments(parser)` and `run(args) -> exit code`. Here things are made and joined."""
