"""The errors a user can meet. Each message says what came, what was expected and what to do next."""

from __future__ import annotations


class MarrowError(Exception):
    """Base of all marrow errors. ``exit_code`` is what the command line returns."""

    exit_code = 1


class InputError(MarrowError, ValueError):
    """A source, file, array or option that cannot be used."""

    exit_code = 2


class UnknownNameError(InputError, KeyError):
    """A name that is not there; the message suggests near ones. Also a ``KeyError``."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class NoPersonError(MarrowError):
    """The source was read well, and no person is in it."""

    exit_code = 3


class OutputError(MarrowError, OSError):
    """A result could not be written; nothing is left half-written under its final name."""

    exit_code = 4


class AssetError(MarrowError, RuntimeError):
    """A file that marrow obtains on first use (detector weights, demo clip) is missing and could not be had."""

    exit_code = 5


class LicenceError(MarrowError, PermissionError):
    """``commercial=True`` met a part whose licence forbids commercial use."""

    exit_code = 6
