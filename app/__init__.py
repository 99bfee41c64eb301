"""Card Intake: reads, films, keeps and reports physical gift cards, each exactly once."""

__version__ = "0.1.0"
