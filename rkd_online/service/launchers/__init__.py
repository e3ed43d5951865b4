"""Ways to run an attempt somewhere."""
