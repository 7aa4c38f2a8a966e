"""The dev cluster's node: pods as processes of this machine (or simulated), driven through a Kubernetes API."""

from tiphys.devcluster.node.node import Node
from tiphys.devcluster.node.settings import Endpoint, NodeSettings

__all__ = ["Endpoint", "Node", "NodeSettings"]
