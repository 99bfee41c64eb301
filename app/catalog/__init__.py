"""The products a station knows: templates from TOML."""
