"""What the command line can do: each verb computes, and returns an outcome to show."""
