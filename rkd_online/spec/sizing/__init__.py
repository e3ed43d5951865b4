"""What a job takes of memory and arithmetic, from the configurations of its models alone."""
