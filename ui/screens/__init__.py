"""Whole screens, put together from the parts."""
