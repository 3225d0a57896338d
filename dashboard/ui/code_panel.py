"""The source code of functions of the core."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache

import streamlit as st

from dashboard.app import fragment, session_keys


def show_code(*functions: Callable[..., object]) -> None:
    """Show, in a closed panel, the source code of functions of the core."""
    fragment(_show_code)(*functions)  # so that opening it redraws nothing else


def _show_code(*functions: Callable[..., object]) -> None:
    names = ", ".join(function.__name__ for function in functions)
    expander = st.expander(
        f"Show the code: `{names}`", key=f"{session_keys.CODE}-{names}", on_change="rerun"
    )
    if expander.open:  # browsers highlight code even in a closed panel, slowly
        with expander:
            for function in functions:
                st.caption(f"`{function.__module__}.{function.__name__}`")
                st.code(_source(function), language="python")


@cache
def _source(function: Callable[..., object]) -> str:
    return inspect.getsource(function)


def show_statements(function: Callable[..., object], *names: str) -> None:
    """Show the statements of a function of the core that assign to these names."""
    lines = _source(function).splitlines()
    shown = [
        line
        for statement in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id in names for t in statement.targets)
        for line in lines[statement.lineno - 1 : statement.end_lineno]
    ]
    st.code(textwrap.dedent("\n".join(shown)), language="python", wrap_lines=True)
