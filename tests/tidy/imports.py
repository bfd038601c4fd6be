"""Who imports whom, read from the text: nothing is executed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tidy.source import Module, modules

# From the outside in: a line may import from the lines below it, never from one above, and neighbours on one line
# leave each other alone. The last line is the ground that everything stands on.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("app",),
    ("bookkeeping", "management", "operations", "catalog_feed", "oversight", "overload"),
    ("catalog_sync",),
    ("http", "storage", "upstream"),
    ("admin", "client", "gateway"),
    ("routing",),
    ("limits",),
    ("billing",),
    ("identity",),
    ("providers",),
    ("catalog",),
    ("wire",),
    ("observability",),
    ("settings",),
    (
        "errors",
        "money",
        "clock",
        "ids",
        "environment",
        "settings_error",
        "kept_secret",
        "call_defaults",
        "deadlines",
        "single_flight",
        "steps",
        "__init__",
    ),
)
HEIGHT = {package: -place for place, layer in enumerate(LAYERS) for package in layer}
GROUND = HEIGHT["errors"]


@dataclass(frozen=True)
class Import:
    """One imported module: `target` is its full name, `names` what was taken from it."""

    source: Module
    target: str
    names: tuple[str, ...]
    node: ast.stmt
    for_types_only: bool
    in_function: bool

    @property
    def place(self) -> str:
        return f"{self.source.at(self.node)} imports {self.target}"

    @property
    def package(self) -> str:
        """The first folder below tollway, "" for what is not ours."""
        first, _, rest = self.target.partition(".")
        return "" if first != "tollway" else rest.partition(".")[0] or "__init__"


@cache
def imports() -> tuple[Import, ...]:
    return tuple(one for module in modules() for one in _imports_of(module, module.tree.body, False, False))


def _imports_of(module: Module, body: list[ast.stmt], for_types: bool, in_function: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, (), node, for_types, in_function)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from _import_from(module, node, for_types, in_function)
        else:
            is_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for inner in _blocks(node):
                yield from _imports_of(module, inner, for_types or is_types, in_function or is_function)


def _import_from(module: Module, node: ast.ImportFrom, for_types: bool, in_function: bool) -> Iterator[Import]:
    """`from package import module` counts as importing the module, `from module import name` as importing it once."""
    known = {one.name for one in modules()}
    base = node.module or ""
    plain = []
    for alias in node.names:
        if f"{base}.{alias.name}" in known:
            yield Import(module, f"{base}.{alias.name}", (), node, for_types, in_function)
        else:
            plain.append(alias.name)
    if plain:
        yield Import(module, base, tuple(plain), node, for_types, in_function)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def cycles() -> list[str]:
    """Every group of modules that import each other when they are loaded."""
    graph: dict[str, set[str]] = {module.name: set() for module in modules()}
    for one in imports():
        if one.target in graph and not one.for_types_only and one.target != one.source.name:
            graph[one.source.name].add(one.target)
    return [" → ".join(sorted(group)) for group in _strongly_connected(graph) if len(group) > 1]


def _strongly_connected(graph: dict[str, set[str]]) -> list[list[str]]:
    """Kosaraju: the order in which a first walk ends, then a second walk along the arrows reversed."""
    ended: list[str] = []
    seen: set[str] = set()
    for start in graph:
        _walk(start, graph, seen, ended)
    reversed_graph: dict[str, set[str]] = {name: set() for name in graph}
    for name, targets in graph.items():
        for target in targets:
            reversed_graph[target].add(name)
    groups: list[list[str]] = []
    seen = set()
    for start in reversed(ended):
        group: list[str] = []
        _walk(start, reversed_graph, seen, group)
        groups.append(group)
    return groups


def _walk(name: str, graph: dict[str, set[str]], seen: set[str], ended: list[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    for target in graph[name]:
        _walk(target, graph, seen, ended)
    ended.append(name)
