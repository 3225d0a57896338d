"""The source of functions of the core, as it runs."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache

import streamlit as st

from dashboard.app import fragment, session_keys


def show_code(*functions: Callable[..., object]) -> None:
    """Offer the source of functions of the core, as it runs."""
    fragment(_show_code)(*functions)  # opening it draws nothing else


def _show_code(*functions: Callable[..., object]) -> None:
    names = ", ".join(function.__name__ for function in functions)
    expander = st.expander(
        f"Show the code: `{names}`", key=f"{session_keys.CODE}-{names}", on_change="rerun"
    )
    if expander.open:  # a browser takes its time to colour code, also where it is folded away
        with expander:
            for function in functions:
                st.caption(f"`{function.__module__}.{function.__name__}`")
                st.code(_source(function), language="python")


@cache
def _source(function: Callable[..., object]) -> str:
    return inspect.getsource(function)


def show_statements(function: Callable[..., object], *names: str) -> None:
    """Show the lines of a function of the core that make what has these names."""
    lines = _source(function).splitlines()
    shown = [
        line
        for statement in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id in names for t in statement.targets)
        for line in lines[statement.lineno - 1 : statement.end_lineno]
    ]
    st.code(textwrap.dedent("\n".join(shown)), language="python", wrap_lines=True)
