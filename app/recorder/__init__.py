"""The recorder program: camera, encoder, encrypted fragments, journal. Outside it only `protocol` is of interest."""
