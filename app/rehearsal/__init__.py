"""The studio: renders cards, parcels and unboxing footage from a seed, with labels that say what is true in them.

It feeds the demo, training mode, tests and benchmarks. The same seed gives the same pixels; everything it shows is
fictional, and its footage is generated when needed, never shipped.
"""
