"""The error family. Every error this program raises on purpose is one of these."""


class IsemsError(Exception):
    """Base of the family; its text is one sentence an operator can act on."""


class ConfigError(IsemsError):
    """A setting or argument is wrong: names it, its value and what was expected. Exit code 2."""


class FormatError(IsemsError):
    """A payload as a whole is in no format we know; single bad lines are `Rejected` instead."""


class SourceError(IsemsError):
    """A node or broker could not be reached or did not answer as it should."""


class StorageError(IsemsError):
    """The database cannot be read or written."""


class SchemaOutdatedError(StorageError):
    """The database is of an older version and waits for `flask db upgrade`."""
