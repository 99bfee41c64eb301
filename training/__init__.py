"""Training of the recogniser for card codes; needs PyTorch, which the product itself does not."""
