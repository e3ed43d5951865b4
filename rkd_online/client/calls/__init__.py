"""What can be asked of the control plane: a function per request."""
