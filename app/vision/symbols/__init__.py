"""Barcodes: who reads them, what they say, and when a reading counts."""
