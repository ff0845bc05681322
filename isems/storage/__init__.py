"""The only SQL. Functions take a connection of `database.Database`; one file a table."""
