"""Load above what it can do, clients and models that misbehave, processes that end."""
