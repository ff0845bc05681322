"""The API of this program, under ``/v1``: a file a resource, declared so that its documentation comes from the same lines."""

from isems.api.v1 import comparison, docs, measurements, node, nodes, openapi, rejected, status
from isems.api.v1.operations import routes

__all__ = ["comparison", "docs", "measurements", "node", "nodes", "openapi", "rejected", "routes", "status"]
