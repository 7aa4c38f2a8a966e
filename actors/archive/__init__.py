"""The archive room: finished workflows find their way into the database."""
