"""Simulated devices: part of the product, always marked as simulated, on real lines where the real device has one."""
