"""Compiled kernels, one kind of layer each: the fast path of learning and reading."""
