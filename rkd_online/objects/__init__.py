"""What lies in an object store instead of a folder that all nodes share."""
