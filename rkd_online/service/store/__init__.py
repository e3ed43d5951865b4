"""SQL: the truth about jobs."""
