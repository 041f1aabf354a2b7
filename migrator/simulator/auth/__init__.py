"""Who may come in: OAuth grants and SOAP login."""
