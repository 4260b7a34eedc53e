"""Classifiers that section III compares LeNet-5 with and that are no networks."""
