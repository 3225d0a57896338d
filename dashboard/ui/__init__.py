"""The parts of every page: title, code, run controls, glossary and sidebar."""

from dashboard.ui.callouts import NUMBER_WIDTH, common_mistake, formula, show_numbers, show_table
from dashboard.ui.code_panel import show_code, show_statements
from dashboard.ui.curriculum import STEPS
from dashboard.ui.glossary import as_html
from dashboard.ui.glossary_terms import GROUPS
from dashboard.ui.look import apply_look, delete_button, way_button
from dashboard.ui.notices import show_notices
from dashboard.ui.page_title import heading, page_title, show_contents
from dashboard.ui.probes import show_probes
from dashboard.ui.run_controls import (
    can_be_copied,
    describe_failure,
    run_buttons,
    share_toggle,
    start_run,
    state_badge,
    watch_button,
)
from dashboard.ui.run_description import (
    describe_intervention,
    describe_place,
    describe_process,
    describe_run,
    describe_seed,
    run_title,
)
from dashboard.ui.sidebar import show_current_run

__all__ = [
    "GROUPS",
    "NUMBER_WIDTH",
    "STEPS",
    "apply_look",
    "as_html",
    "can_be_copied",
    "common_mistake",
    "delete_button",
    "describe_failure",
    "describe_intervention",
    "describe_place",
    "describe_process",
    "describe_run",
    "describe_seed",
    "formula",
    "heading",
    "page_title",
    "run_buttons",
    "run_title",
    "share_toggle",
    "show_code",
    "show_contents",
    "show_current_run",
    "show_notices",
    "show_numbers",
    "show_probes",
    "show_statements",
    "show_table",
    "start_run",
    "state_badge",
    "watch_button",
    "way_button",
]
