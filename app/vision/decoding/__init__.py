"""From what the engines saw to one text under its pattern, with the doubt that is left."""
