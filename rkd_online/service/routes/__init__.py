"""The API's routes: each a thin layer over the store."""
