"""Brings the cluster in line with the database: queue, attempts, budgets."""
