"""A configuration's fields as command-line options, with the fields' own help and checks."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from typing import Any, get_args, get_type_hints

from gpt_core.config import GPTConfig, TrainingConfig

CONFIGS = (GPTConfig, TrainingConfig)
BY_HAND = ("probes",)  # --probe adds to them
GROUPS = {
    "model": "the model",
    "data": "the text",
    "optimizer": "the training",
    "evaluation": "evaluations and samples",
    "beyond": "beyond the chapter",
    "machine": "the machine",
}


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of both configurations, grouped as in the app's form."""
    groups = {name: parser.add_argument_group(title) for name, title in GROUPS.items()}
    for config in CONFIGS:
        hints = get_type_hints(config)
        for field in fields(config):
            if field.name not in BY_HAND:
                _add_option(groups[field.metadata["group"]], field, hints[field.name])


def chosen_settings(options: argparse.Namespace, config: type) -> dict[str, Any]:
    """Return the fields of a configuration that are given on the command line."""
    return {
        field.name: getattr(options, field.name)
        for field in fields(config)
        if hasattr(options, field.name)
    }


def _add_option(group: argparse._ArgumentGroup, field: Field[Any], hint: Any) -> None:
    names = [f"--{field.name.replace('_', '-')}"]
    if field.name == "num_epochs":
        names.append("--epochs")
    text = field.metadata["help"].replace("; empty:", "; none:").replace("%", "%%")
    shared: dict[str, Any] = {"dest": field.name, "help": text, "default": argparse.SUPPRESS}
    assert field.default is not MISSING
    if hint is bool:
        group.add_argument(*names, action=argparse.BooleanOptionalAction, **shared)
    elif choices := field.metadata["choices"]:
        group.add_argument(*names, choices=choices, **shared)
    else:
        kinds = get_args(hint) or (hint,)
        group.add_argument(*names, type=_reader(kinds), metavar=_metavar(kinds), **shared)


def _reader(kinds: Iterable[type]) -> Callable[[str], Any]:
    """Return the function that parses an option's text; "none" is None if that is a kind."""
    [kind] = [k for k in kinds if k is not type(None)]
    may_be_none = type(None) in kinds

    def read(text: str) -> Any:
        return None if may_be_none and text.lower() == "none" else kind(text)

    read.__name__ = f"{kind.__name__}{' or none' if may_be_none else ''}"  # for argparse's message
    return read


def _metavar(kinds: Iterable[type]) -> str:
    return "TEXT" if str in kinds else "N|none" if type(None) in kinds else "N"
