"""The contracts as documents: JSON Schemas, AsyncAPI and OpenRPC, generated from the models that the code parses with."""

from evalbus.documents.folder import differences, write
from evalbus.documents.generate import generate

__all__ = ["differences", "generate", "write"]
