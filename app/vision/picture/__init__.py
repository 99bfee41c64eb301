"""Pictures as arrays: files, colours, sharpness, motion, the straightened card and places on it."""
