"""Who may do what: keys, projects, audit."""
