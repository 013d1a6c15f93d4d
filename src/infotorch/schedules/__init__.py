"""Schedules: learning rates from information."""
