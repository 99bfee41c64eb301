"""Barcode scanners that the product reads itself (not as a keyboard)."""
