"""How much the control plane takes: submissions, long lists, many readers of one job."""
