"""The eye: the program that looks at the newest frame and says what card lies there."""
