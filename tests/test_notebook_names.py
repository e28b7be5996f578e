"""A name in a notebook means one thing, cells can be run again, and no parameter is dead."""

import ast
from collections import Counter
from functools import reduce
from operator import or_
from pathlib import Path

import jupytext
import pytest

from spinode.workflow.notebooks import defaults

ROOT = Path(__file__).resolve().parent.parent
# Tutorials are for playing: a name may change there while one reads on.
NOTEBOOKS = sorted([*(ROOT / "notebooks").glob("*.py"), *(ROOT / "notebooks/sweeps").glob("*.py")])
# What a picture is drawn on: every picture has its own.
CANVAS = {"figure", "ax", "axes", "panel", "panels", "handles", "labels", "layout"}


def bound(statements):
    """Count how often statements bind each name, by assignment, definition or import.

    Of two branches only one runs, so the larger count holds. Loop variables do not count: they
    live as long as their loop.
    """
    counts = Counter()
    for statement in statements:
        match statement:
            case ast.Assign(targets=targets):
                names = [
                    n.id
                    for t in targets
                    for n in ast.walk(t)
                    if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                ]
                counts.update(names)
            case ast.AnnAssign(target=ast.Name(id=name)):
                counts[name] += 1
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                counts[name] += 1
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                counts |= Counter((one.asname or one.name).split(".")[0] for one in names)
            case ast.If(body=body, orelse=other):
                counts.update(bound(body) | bound(other))
            case ast.Try(body=body, handlers=handlers, orelse=rest):
                failed = [bound(one.body) for one in handlers]
                counts.update(reduce(or_, failed, bound(body) + bound(rest)))
            case ast.For(body=body) | ast.While(body=body) | ast.With(body=body):
                # Bound anew each round: once.
                counts.update(dict.fromkeys(bound(body), 1))
    return counts


def code_of(path):
    """Return the syntax trees of a notebook's code cells."""
    cells = jupytext.read(path).cells
    return [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_name_means_one_thing(path):
    counts = bound(statement for cell in code_of(path) for statement in cell.body)
    rebound = sorted(name for name, count in counts.items() if count > 1 and name not in CANVAS)
    assert not rebound, f"bound more than once: {rebound}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_can_be_run_again(path):
    """No cell adds to what another began: run twice, it would hold everything twice."""
    grown = []
    for cell in code_of(path):
        own = bound(cell.body)
        for node in [node for statement in cell.body for node in outside_functions(statement)]:
            match node:
                case ast.AugAssign(target=ast.Name(id=name), op=ast.Add() | ast.Sub() | ast.Mult()):
                    grown += [name] if name not in own else []
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend")
                ):
                    grown += [name] if name not in own else []
    assert not grown, f"grow when their cell is run again: {grown}"


def outside_functions(node):
    """Yield a node and what is in it, but for the bodies of functions."""
    if not isinstance(node, ast.FunctionDef | ast.Lambda):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from outside_functions(child)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_is_used(path):
    trees = code_of(path)
    used = {
        node.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert not set(defaults(path)) - used
