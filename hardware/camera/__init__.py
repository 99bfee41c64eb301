"""Cameras: one module a way of reaching one. Every camera gives YUV 4:2:0 planes and keeps `hardware.ports.Camera`."""
