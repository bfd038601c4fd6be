"""The program's own text, parsed once: every module under src/tollway, and the other files of the repository."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tollway"


@dataclass(frozen=True)
class Module:
    """One file of the package. `path` is relative to src/tollway, `package` its first folder or its own name."""

    path: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        parts = ["tollway", *self.path.removesuffix(".py").split("/")]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        return self.path.partition("/")[0].removesuffix(".py")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def nodes(self) -> tuple[ast.AST, ...]:
        return _nodes(self.path)

    def at(self, node: ast.AST) -> str:
        """`src/tollway/x.py:12`, as editors understand it."""
        return f"src/tollway/{self.path}:{getattr(node, 'lineno', 1)}"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def attributes_of(self, name: str) -> Iterator[ast.Attribute]:
        """Every `name.something` in this module."""
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                yield node


@cache
def modules() -> tuple[Module, ...]:
    paths = sorted(PACKAGE.rglob("*.py"))
    texts = [(path.relative_to(PACKAGE).as_posix(), path.read_text()) for path in paths]
    return tuple(Module(path, text, ast.parse(text)) for path, text in texts)


def module(path: str) -> Module:
    return next(one for one in modules() if one.path == path)


@cache
def _nodes(path: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(module(path).tree))


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is, or would be, in version control."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(path for name in listed if name and (path := ROOT / name).is_file())


def repository_texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    """(path from the repository's root, text) of every file with one of these endings, or of all text files."""
    for path in repository_files():
        if suffixes and not path.name.endswith(suffixes):
            continue
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text()
        except UnicodeDecodeError:
            continue


def report(what_to_do: str, places: Iterable[str]) -> None:
    """Fail with every place and with what a newcomer can do about it."""
    found = sorted(places)
    listed = "\n  ".join(found)
    assert not found, f"{what_to_do}\n  {listed}"
