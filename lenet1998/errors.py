"""What can go wrong for reasons that a user can mend."""


class Failure(Exception):
    """The message is one line: what, where, and what to do. The command line shows it as it is."""
