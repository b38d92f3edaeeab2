"""Serialization protocols: the registry and one short file a format."""
