"""Painted parts of the screens. Each shows the view it is given and knows nothing of the session."""
