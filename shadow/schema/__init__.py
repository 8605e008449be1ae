"""Schemas that services publish, OpenAPI and GraphQL: what they say of the values that a request carries."""

from shadow.schema.described import Described, Schema, Schemas
from shadow.schema.graphql import from_introspection, from_sdl
from shadow.schema.openapi import from_openapi

__all__ = ["Described", "Schema", "Schemas", "from_introspection", "from_openapi", "from_sdl"]
