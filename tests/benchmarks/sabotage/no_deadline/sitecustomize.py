"""Without a deadline for what clients send."""

from app.connection import Connection

Connection._check = lambda self: None
