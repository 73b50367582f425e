"""The nodes of an expression's tree: a closed table, by type."""

from typing import Final

from answerback.language.expressions.nodes import calls, operators, values
from answerback.language.expressions.nodes.base import NodeCompiler, Nodes, dotted_name

NODES: Final[Nodes] = {**values.NODES, **calls.NODES, **operators.NODES}

__all__ = ["NODES", "NodeCompiler", "dotted_name"]
