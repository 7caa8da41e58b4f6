"""Without an ear for clients that leave."""

from app import connection

connection.ANSWER = "nothing of that name"
