"""What the control plane tells of itself: metrics and logs."""
