"""Whether a line ends where it seems to: what light, layer, paper or the picture's border may hide of it."""
