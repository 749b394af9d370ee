from typing import NamedTuple


class Fault(NamedTuple):
    """A piece of text that, put in the place of another, makes the program wrong."""

    what: str
    file: str  # from the root of the repository
    before: str  # stands there once
    after: str
    test: str  # the test program that should notice
    harmless: bool = False  # to the results: only a sanitizer sees it
