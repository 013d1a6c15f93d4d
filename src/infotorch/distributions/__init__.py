"""Distributions: joint laws whose mutual information is known exactly: `sample` and `mutual_information`, in nats."""
