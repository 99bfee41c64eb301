"""NFC readers on a serial line: frame codec, line, PN532 driver, and what kind of chip lies in the field."""
