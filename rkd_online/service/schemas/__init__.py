"""What the API answers. Clients read these; no database or web package is imported here."""
