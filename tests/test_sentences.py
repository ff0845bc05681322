"""Sentences that the dashboard shows as the collector words them: for each there is a German one in `sentences.ts`.

Found by what makes them, `MAKERS`: a call's argument, an argument's name, or what is assigned to. From there this follows
names to what was assigned to them, and calls to what their functions give; whatever else stands in a sentence is a hole.
"""

import ast
import errno
import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "isems"
SENTENCES = ROOT / "frontend/src/i18n/sentences.ts"
HOLE = "{}"
Function = ast.FunctionDef | ast.AsyncFunctionDef

#: What makes a sentence -> which argument it is. Of every module but those of ELSEWHERE.
MAKERS = {
    # Why polling an address fails: the error of /v1/status.
    "SourceError": 0,
    # The 503 of a data route, and why what came by MQTT could not be stored.
    "StorageError": 0,
    "SchemaOutdatedError": 0,
    "ServiceUnavailable": 0,
    # The detail of rejected input.
    "FormatError": 0,
    "LineError": 1,
    "Rejected": 2,
    "Refused": 2,
    "problem=": None,
}
#: What makes one in one module only.
MAKERS_OF = {
    "sources/http_answer.py": {"_error": 0},
    "sources/node_client.py": {"_end": 0, "finish": 0},
    # The broker's state. What is told as logging.INFO is well, and not shown.
    "sources/mqtt.py": {"_fail": 0, "tell": 1, "trouble": None},
    "sources/mqtt_tls.py": {"ConfigError": 0},
    "subscriber.py": {"sentence=": None},
    "api/health.py": {"sentence": None},
    "switchover/rows.py": {"reject": 2},
}
#: Where MAKERS make what the dashboard never shows, and who is told it.
ELSEWHERE = {
    "demo.py": "who starts the simulated mesh",
    "sources/archive.py": "the log: polling goes on without the archive",
    "sources/files.py": "who imports a file",
    "sources/mqtt_retirement.py": "who retires a replica",
    "subscriber.py": "who retires a replica",
    "storage/adoption.py": "who upgrades",
    "storage/backup.py": "who upgrades",
    "storage/migrations/versions/5f0c1d8e7a21_one_row_per_node_and_second.py": "who upgrades",
    "storage/partitions.py": "who divides the table",
    "storage/upgrade.py": "who upgrades",
    "switchover/adopt.py": "who upgrades",
    "switchover/move.py": "who upgrades",
    "export/files.py": "who exports",
    "export/parquet.py": "who exports",
    "cli/database.py": "who rolls up",
}
#: Taken off before it is kept, since it stands beside the error anyway.
ADDRESSES = {"address.text", "self.address.text", "self._node"}


def functions_of(tree: ast.AST, function: Function | None = None) -> Iterator[tuple[ast.AST, Function | None]]:
    """Every node, and the innermost function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        yield node, function
        yield from functions_of(node, node if isinstance(node, Function) else function)


def assigned(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """What is assigned to names and attributes, also several at once."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                for one, value in pairs:
                    if isinstance(one, ast.Name | ast.Attribute):
                        yield one.id if isinstance(one, ast.Name) else one.attr, value


class Module:
    """A module of the package, and the sentences that are made in it."""

    def __init__(self, path: Path, package: Path = PACKAGE) -> None:
        self.name = path.relative_to(package).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self.nodes = list(functions_of(tree))
        self.functions = {node.name: node for node, _ in self.nodes if isinstance(node, Function)}
        self.constants = dict(assigned(iter(tree.body)))
        #: Sentences that are joined to a longer one.
        self.parts: set[str] = set()
        #: Name -> module and the name there.
        self.imported = {
            alias.name: (f"{(node.module or '').removeprefix('isems.').replace('.', '/')}.py", alias.name)
            for node, _ in self.nodes
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isems.")
            for alias in node.names
        }

    def sentences(self) -> set[str]:
        """Give all that the dashboard may show; what is nothing but holes is made elsewhere."""
        makers = ({} if self.name in ELSEWHERE else MAKERS) | MAKERS_OF.get(self.name, {})
        found: set[str] = set()
        for node, function in self.nodes:
            for expression in self._made(node, makers):
                found |= set(self.texts(expression, function))
        return {one.strip() for one in found | self.parts if re.search("[a-z]{2}", one)}

    def _made(self, node: ast.AST, makers: dict[str, int | None]) -> Iterator[ast.expr]:
        if isinstance(node, ast.Call):
            position = makers.get(ast.unparse(node.func).rpartition(".")[2])
            if position is not None and position < len(node.args) and ast.unparse(node.args[0]) != "logging.INFO":
                yield node.args[position]
            yield from (one.value for one in node.keywords if f"{one.arg}=" in makers)
        else:
            yield from (value for name, value in assigned(iter([node])) if name in makers)

    def texts(self, node: ast.expr, function: Function | None) -> list[str]:
        """Give every text that an expression may be, with holes for what is only known when it is made."""
        match node:
            case ast.Constant(str(text)):
                return [text]
            case ast.JoinedStr(parts):
                if isinstance(parts[0], ast.FormattedValue) and ast.unparse(parts[0].value) in ADDRESSES:
                    parts = parts[1:]
                return ["".join(one) for one in product(*(self.texts(part, function) for part in parts))]
            case ast.FormattedValue(value, conversion):
                return [HOLE] if conversion == ord("r") else self.texts(value, function)
            case ast.IfExp(_, one, other):
                return [*self.texts(one, function), *self.texts(other, function)]
            case ast.BoolOp(_, values):
                return [text for value in values for text in self.texts(value, function)]
            case ast.Call():
                return self._called(node, function)
            case ast.Name(name):
                return self._named(name, function)
        return [HOLE]

    def _called(self, call: ast.Call, function: Function | None) -> list[str]:
        match call:
            case ast.Call(ast.Attribute(ast.Constant("; "), "join"), [ast.GeneratorExp(element)]):
                self.parts |= set(self.texts(element, function))
                return [HOLE]
            case ast.Call(ast.Attribute(ast.Name(name), "get"), [_, other]):  # of a dictionary of sentences
                table = self._local(name, function)
                values = [value for one in table if isinstance(one, ast.Dict) for value in one.values]
                return [text for value in [*values, other] for text in self.texts(value, function)]
            case ast.Call(ast.Name(name) | ast.Attribute(ast.Name("self"), name)):
                return self._given(name)
        return [HOLE]

    def _local(self, name: str, function: Function | None) -> list[ast.expr]:
        return [value for one, value in assigned(ast.walk(function)) if one == name] if function else []

    def _named(self, name: str, function: Function | None) -> list[str]:
        if name in self.imported:
            module, there = self.imported[name]
            return module_of(module)._named(there, None) if (PACKAGE / module).exists() else [HOLE]
        parameters = [one.arg for one in function.args.args] if function else []
        if function and name in parameters:
            # What this module calls it with.
            calls = [
                (node.args[parameters.index(name)], where)
                for node, where in self.nodes
                if isinstance(node, ast.Call)
                and ast.unparse(node.func) == function.name
                and len(node.args) == len(parameters)
            ]
            return [text for value, where in calls for text in self.texts(value, where)] or [HOLE]
        values = self._local(name, function) or [self.constants[one] for one in (name,) if one in self.constants]
        return [text for value in values for text in self.texts(value, function)] or [HOLE]

    def _given(self, name: str) -> list[str]:
        """What a function gives."""
        if name in self.imported:
            module, there = self.imported[name]
            return module_of(module)._given(there) if (PACKAGE / module).exists() else [HOLE]
        function = self.functions.get(name)
        returns = [one.value for one in ast.walk(function) if isinstance(one, ast.Return)] if function else []
        return [text for value in returns if value is not None for text in self.texts(value, function)] or [HOLE]


@cache
def module_of(name: str) -> Module:
    return Module(PACKAGE / name)


MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("**/*.py"))


#: Said by others and passed on as a reason, beside what the system has a number for.
FOREIGN = {
    # How Python writes an OSError.
    "[Errno {}] {}",
    "[Errno {}] {}: {}",
    # SQLite (sqlite3ErrStr).
    "disk I/O error",
    "database is locked",
    "database or disk is full",
    "unable to open database file",
    "attempt to write a readonly database",
    "database disk image is malformed",
    "file is not a database",
}
ENTRY = re.compile(r'^  (?:"([^"\n]+)"|(\w+)):(?: |\n    )"[^"\n]+",$', re.MULTILINE)


def translated() -> set[str]:
    """Give the English templates of `sentences.ts`."""
    table = SENTENCES.read_text(encoding="utf-8").partition("GERMAN: ")[2].partition("\n};\n")[0]
    found = {quoted or bare for quoted, bare in ENTRY.findall(table)}
    assert len(found) == len(re.findall("^  [^ /]", table, re.MULTILINE)), "an entry is not written like the others"
    return found


def fits(template: str, sentence: str) -> bool:
    """Tell whether a template is of a sentence, whose holes are "{}"; a hole may also stand for one word, as of a setting."""
    pattern = re.sub(r"\\{\w+\\}", r"\\S+", re.escape(template))
    return re.fullmatch(pattern, sentence) is not None


def test_every_sentence_that_the_dashboard_shows_has_a_german_one() -> None:
    templates = translated()
    missing = [
        f"{name}: {one}"
        for name in MODULES
        for one in sorted(module_of(name).sentences())
        if not any(fits(template, one) for template in templates)
    ]
    assert not missing, f"{SENTENCES.name} lacks these; where the dashboard never shows one, say so in ELSEWHERE"


def test_no_german_sentence_is_for_an_english_one_that_nobody_makes() -> None:
    made = set().union(*(module_of(name).sentences() for name in MODULES))
    system = {os.strerror(number) for number in errno.errorcode}
    nobody = [
        template
        for template in translated()
        if not any(fits(template, one) for one in made | FOREIGN) and template not in system
    ]
    assert nobody == []


def test_what_is_said_elsewhere_is_still_there() -> None:
    assert [name for name in (*ELSEWHERE, *MAKERS_OF) if name not in MODULES] == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param(
            "sources/node_client.py", "gave no answer within {} s", id="assigned, and with what a function gives"
        ),
        pytest.param("sources/node_client.py", "cannot be reached: no route to it", id="in a table"),
        pytest.param(
            "sources/poller.py", "{}: {} bytes that are no log, then no more", id="joined, with a choice in it"
        ),
        pytest.param(
            "sources/mqtt.py", "the broker hung up before it answered: is it MQTT on this port?", id="imported"
        ),
        pytest.param("sources/mqtt.py", "the connection to the broker was lost", id="a constant"),
        pytest.param("ingest/samples.py", "it carries no time, and nothing tells when it was sent", id="a name in it"),
        pytest.param("api/health.py", "not running: its process ended without a word", id="several assigned at once"),
        pytest.param("storage/database.py", "the database {} cannot be used: {}", id="raised"),
    ],
)
def test_sentences_are_found_however_they_are_made(name: str, sentence: str) -> None:
    assert sentence in module_of(name).sentences()


def test_a_new_sentence_is_missed(tmp_path: Path) -> None:
    planted = tmp_path / "new.py"
    planted.write_text(
        'def f(n):\n    what = f"sang {n} songs"\n    raise SourceError(f"it {what}")\n', encoding="utf-8"
    )
    (sentence,) = Module(planted, tmp_path).sentences()
    assert sentence == "it sang {} songs"
    assert not any(fits(template, sentence) for template in translated())
