"""Where the card is in a picture, and whether all of it is seen."""
