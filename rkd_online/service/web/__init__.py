"""HTTP conventions: problems, pages, revisions, repeated requests, limits."""
