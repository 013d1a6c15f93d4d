"""Numerics: input checks, log-space sums, kernels, nearest neighbours, seed streams."""
