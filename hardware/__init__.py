"""Devices and their simulators. Knows nothing of gift cards; never imports app or ui."""
