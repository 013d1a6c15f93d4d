"""Training: the plan, the loop, checkpoints, devices."""
