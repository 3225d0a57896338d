"""Runs that other processes train: requests to them, and those that this process starts."""
