"""The rules of the house for the code in src/tollway, one test each. CONTRIBUTING.md tells the same in words.

A rule that makes a file worse may be broken: with an entry and a reason in tests/tidy/exceptions.py.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tidy import exceptions
from tidy.imports import GROUND, HEIGHT, cycles, imports
from tidy.source import ROOT, Module, module, modules, report
from tollway.gateway.pipeline import CLOSERS, STAGES
from unit.gateway.fakes import exchange

LINES_MAX = 300
FUNCTION_LINES_MAX = 70
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base", "data", "info"}

NETWORK = {"socket", "ssl", "selectors", "uvicorn", "httptools", "http.client", "urllib.request", "httpx", "aiohttp"}
FILES = {"pathlib", "tempfile", "shutil", "glob", "fcntl", "mmap", "os", "tomllib"}
DATABASE = {"sqlalchemy", "alembic", "psycopg", "sqlite3", "aiosqlite", "redis"}
CLOCKS = {"time", "random", "secrets", "uuid"}
STARTS_TASK = {"create_task", "ensure_future", "TaskGroup"}
READS_CLOCK = re.compile(r"\b(?:datetime|date)\.(?:now|utcnow|today)\(|\burandom\(|\bloop\.time\(")


# Imports


def test_imports_point_one_way() -> None:
    """Wrong way round: move what is shared to the lower package, or let the upper one pass it in as an argument."""
    wrong = []
    for one in imports():
        ours, theirs = one.source.package, one.package
        if not theirs or ours == theirs or "sim" in (ours, theirs):
            continue
        if ours not in HEIGHT or theirs not in HEIGHT:
            wrong.append(f"{one.place}: give this package a place in LAYERS, tests/tidy/imports.py")
        elif HEIGHT[ours] < HEIGHT[theirs] or (HEIGHT[ours] == HEIGHT[theirs] != GROUND):
            wrong.append(one.place)
    report(
        "Imports point one way: cli → app → http storage upstream → admin gateway → … → errors money clock ids. "
        "Move what is shared down, or pass it in.",
        wrong,
    )


def test_no_import_cycles() -> None:
    report("These modules import each other; move what they share into a file below both.", cycles())


def test_sim_stands_alone() -> None:
    crossing = [
        one.place
        for one in imports()
        if (one.source.package == "sim" and one.package not in {"", "sim"})
        or (one.package == "sim" and one.source.package not in {"sim", "cli"})
    ]
    report(
        "The stand-in upstream imports nothing of Tollway and only cli/ imports it: it must not share our bugs.",
        crossing,
    )


def test_no_imports_inside_functions() -> None:
    hidden = [
        one.place for one in imports() if one.in_function and "# lazy:" not in one.source.lines[one.node.lineno - 1]
    ]
    report(
        "Import at the top of the file. If loading it late is the point, say why: `import x  # lazy: <reason>`.", hidden
    )


# Who may touch the outside


def test_only_the_edges_touch_the_network() -> None:
    allowed = {"http", "upstream", "sim", "cli", "app"}
    report(
        "Only http/, upstream/, cli/ and sim/ speak to the network; everything else gets a port passed in "
        "(gateway/services.py, upstream_port.py).",
        _imports_outside(NETWORK, allowed),
    )


def test_only_the_edges_touch_files() -> None:
    allowed = {"http", "upstream", "storage", "sim", "cli", "app", "settings", "environment", "kept_secret"}
    report(
        "Only the edges touch files and the operating system; pass the content in.", _imports_outside(FILES, allowed)
    )


def test_only_storage_touches_the_database() -> None:
    report(
        "SQL lives in storage/ only; add a method to the domain's store protocol.",
        _imports_outside(DATABASE, {"storage"}),
    )


def test_only_clock_and_ids_read_time_and_randomness() -> None:
    allowed = {"clock", "ids", "sim"}
    read = [
        f"src/tollway/{one.path}:{number}"
        for one in modules()
        if one.package not in allowed
        for number, line in enumerate(one.lines, 1)
        if READS_CLOCK.search(line)
    ]
    report(
        "Time and chance come from clock.py and ids.py, or better as an argument (`now`, `roll`), so that tests can "
        "choose them.",
        [*_imports_outside(CLOCKS, allowed), *read],
    )


def test_only_one_file_reads_the_environment() -> None:
    # the latter two: handed to child processes; the C library's own variables, which are no settings of ours
    allowed = {"environment.py", "cli/children.py", "cli/malloc.py"}
    readers = [
        one.at(node)
        for one in modules()
        if one.path not in allowed
        for node in one.attributes_of("os")
        if node.attr in {"environ", "environb", "getenv", "putenv"}
    ]
    report("Make it a setting: only environment.py reads the environment.", readers)


def _imports_outside(forbidden: set[str], allowed: set[str]) -> list[str]:
    return [
        one.place
        for one in imports()
        if one.source.package not in allowed
        and (one.target in forbidden or one.target.partition(".")[0] in forbidden)
        and not (one.for_types_only or _only_names_types(one.names))
    ]


def _only_names_types(names: tuple[str, ...]) -> bool:
    """`from pathlib import PurePosixPath` or `from uuid import UUID`: a type, not the outside."""
    return bool(names) and set(names) <= {"PurePath", "PurePosixPath", "UUID"}


# Errors and tasks


def test_only_the_guard_catches_everything() -> None:
    """Expected refusals are Problems; anything else is a bug, and http/guard.py reports it."""
    places: dict[str, list[str]] = {}
    for one, handler in _catch_alls():
        has_reason = "#" in one.lines[handler.lineno - 1]
        if one.path != "http/guard.py" and not (one.package in {"sim", "cli"} and has_reason):
            places.setdefault(one.path, []).append(one.at(handler))
    report(
        "Catch the exceptions you expect, by name. Bugs are caught in http/guard.py.",
        (place for path, found in places.items() if path not in exceptions.CATCH_ALL for place in found),
    )
    _no_entry_too_many("CATCH_ALL", exceptions.CATCH_ALL, set(places))


def _catch_alls() -> Iterator[tuple[Module, ast.ExceptHandler]]:
    for one in modules():
        for node in one.nodes:
            if isinstance(node, ast.ExceptHandler):
                caught = "" if node.type is None else ast.unparse(node.type)
                if node.type is None or re.search(r"\b(?:Base)?Exception\b", caught):
                    yield one, node


def test_only_four_files_start_tasks() -> None:
    """A task that nobody holds may vanish, and its error with it."""
    allowed = {"http/background.py", "http/asgi.py", "single_flight.py", "steps.py"}
    starters = [
        one.at(node)
        for one in modules()
        if one.path not in allowed and one.package != "sim"
        for node in one.nodes
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in STARTS_TASK
    ]
    report(
        "Work is started by http/background.py (repeating), http/asgi.py (control plane), SingleFlight or "
        "steps.beside, which keep hold of it and report its errors.",
        starters,
    )


def test_nothing_is_evaluated() -> None:
    called = [
        one.at(node)
        for one in modules()
        for node in one.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"eval", "exec", "pickle.loads", "pickle.load"}
    ]
    report("No code comes from configuration, catalog or requests (SECURITY.md).", called)


# Shape


def test_files_are_short() -> None:
    long = {
        one.path: len(one.lines)
        for one in modules()
        if len(one.lines) > LINES_MAX and not one.path.startswith("storage/migrations/versions/")
    }
    report(
        f"Over {LINES_MAX} lines: does the file have two reasons to change? Split it there, or add it to LONG_FILES in "
        "tests/tidy/exceptions.py with the reason why not.",
        (f"src/tollway/{path}: {length} lines" for path, length in long.items() if path not in exceptions.LONG_FILES),
    )
    _no_entry_too_many("LONG_FILES", exceptions.LONG_FILES, set(long))


def test_functions_are_short() -> None:
    long = [
        f"{one.at(node)} {node.name}: {length} lines"
        for one in modules()
        if not one.path.startswith("storage/migrations/versions/")
        for node in one.functions()
        if (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    report(f"Over {FUNCTION_LINES_MAX} lines: leave the branches here and move the plain steps below.", long)


def test_no_drawers() -> None:
    drawers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "bench", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.stem in DRAWERS and "__pycache__" not in path.parts
    ]
    report("Name the thing, not the drawer it lies in: folders and files are nouns of the field.", drawers)


def test_every_module_says_what_it_is() -> None:
    silent = [f"src/tollway/{one.path}" for one in modules() if not ast.get_docstring(one.tree)]
    report("Begin the file with one sentence that says what it is, then the rule that is not obvious.", silent)


def test_providers_and_models_are_not_compared_by_name() -> None:
    """A comparison with a literal is a quirk that belongs into the provider's record or the catalog."""
    compared = [
        f"{one.at(node)} {ast.unparse(node)}"
        for one in modules()
        if one.package not in {"providers", "catalog", "sim"}
        for node in one.nodes
        if isinstance(node, ast.Compare) and _compares_an_id(node)
    ]
    report("Give the provider record (providers/provider.py) a field for what is different, and ask that.", compared)


def _compares_an_id(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    ids = re.compile(
        r"(?:^|[._])(?:provider|provider_id|upstream_id|model|model_id|upstream_model)(?:\.(?:id|lower\(\)))*$"
    )
    literals = [
        part.value
        for side in sides
        for part in (side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side])
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    return any(literals) and any(ids.search(ast.unparse(side)) for side in sides)


# Tests mirror the code


def test_every_file_has_its_unit_test() -> None:
    missing = {
        one.path
        for one in modules()
        if _has_code(one) and not (ROOT / "tests/unit" / one.path).with_name(f"test_{one.path.split('/')[-1]}").exists()
    }
    report(
        "Write tests/unit/<same folder>/test_<same name>.py, or add the file to WITHOUT_UNIT_TEST in "
        "tests/tidy/exceptions.py and say what tests it instead.",
        (f"src/tollway/{path}" for path in missing - set(exceptions.WITHOUT_UNIT_TEST)),
    )
    _no_entry_too_many("WITHOUT_UNIT_TEST", exceptions.WITHOUT_UNIT_TEST, missing)


def _has_code(one: Module) -> bool:
    """More than a docstring: an empty package needs no test."""
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in one.tree.body)


def _no_entry_too_many(name: str, entries: dict[str, str], needed: set[str]) -> None:
    report(
        f"Remove these from {name} in tests/tidy/exceptions.py: they need no exception (any more).",
        set(entries) - needed,
    )
    assert all(len(reason) > 10 for reason in entries.values()), f"every entry of {name} needs a reason"


# The life of a request


ALWAYS_THERE = {"id", "inbound", "client", "received_at", "started", "attempts", "problem", "outcome", "has"}
STEPS = [one for one in modules() if re.match(r"gateway/(?:stages|closers)/(?!__init__)", one.path)]
STAGE_FILES = {stage.name: module(f"gateway/stages/{stage.name}.py") for stage in STAGES}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.path)
def test_a_step_has_one_public_name(step: Module) -> None:
    defined = [
        node.name for node in step.tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assigned = [target.id for node in step.tree.body for target in _targets(node) if isinstance(target, ast.Name)]
    public = [name for name in (*defined, *assigned) if not name.startswith("_")]
    assert public == ["run"], (
        f"src/tollway/{step.path} has {public}: a step has one public name, `run`; rename or move the rest"
    )


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def test_every_step_is_in_the_pipeline() -> None:
    listed = {f"gateway/stages/{stage.name}.py" for stage in STAGES}
    listed |= {f"gateway/closers/{closer.__module__.rpartition('.')[2]}.py" for closer in CLOSERS}
    report(
        "Put the step into STAGES or CLOSERS in gateway/pipeline.py, or remove it.",
        {one.path for one in STEPS} ^ listed,
    )


def test_stages_need_only_what_was_given_before() -> None:
    given: set[str] = set()
    for stage in STAGES:
        early = set(stage.needs) - given
        assert not early, f"{stage.name} needs {sorted(early)}, which no earlier stage gives; reorder STAGES"
        given.add(stage.gives)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_reads_only_what_it_needs(stage) -> None:
    file = STAGE_FILES[stage.name]
    read = {node.attr for node in file.attributes_of("exchange")} - ALWAYS_THERE
    report(f"Declare it in STAGES (gateway/pipeline.py): Stage({stage.name}.run, needs=…).", read - set(stage.needs))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_never_changes_the_exchange(stage) -> None:
    """A stage returns the part it gives; the runner puts it there (docs/adr/0006)."""
    file = STAGE_FILES[stage.name]
    written = [file.at(node) for node in file.attributes_of("exchange") if not isinstance(node.ctx, ast.Load)]
    written += [
        file.at(node) for node in file.nodes if isinstance(node, ast.Call) and "setattr" in ast.unparse(node.func)
    ]
    report("Return the part instead of writing it; name it as `gives` in STAGES.", written)


def test_closers_ask_before_they_read() -> None:
    """A closer runs on every exit, so any part may be missing."""
    blank = exchange()
    parts = {stage.gives for stage in STAGES if stage.gives and not blank.has(stage.gives)}
    careless = [
        f"src/tollway/{one.path} reads {sorted(read)}"
        for one in STEPS
        if "/closers/" in one.path
        and (read := parts & {node.attr for node in one.attributes_of("exchange")})
        and "exchange.reply" not in one.text  # where there is one, all that came before it is there
    ]
    report(
        "A closer asks whether there is a reply, or uses getattr(exchange, part, None): any part may be missing.",
        careless,
    )
