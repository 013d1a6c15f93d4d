"""Estimators: paired samples -> `Estimate`, in nats."""
