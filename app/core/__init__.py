"""Plain data and pure functions: what a card is, what a session does next. No I/O, clock, threads or numpy."""
