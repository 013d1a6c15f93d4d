"""Measure the information between two arrays: three lines, and what the answer knows about itself."""

import torch

import infotorch

generator = torch.Generator().manual_seed(3)
x = torch.randn(2000, generator=generator)
y = x + 0.5 * torch.randn(2000, generator=generator)

estimate = infotorch.mutual_information(x, y)
print(f"{float(estimate):.3f} nats ({estimate.bits:.3f} bits), standard error {estimate.std_error:.3f}")
print(f"by {estimate.estimator}: {estimate.reason}")
# The truth: 1/2 log(1 + var(x) / var(noise)) = 1/2 log 5 = 0.805 nats.
