"""Online distillation of reasoning models inside the reinforcement-learning update."""

__version__ = "0.1.0"
