"""A run's probes at one evaluation: p11, p12, … of each row."""

import streamlit as st

from dashboard.app import get_visible_runs
from dashboard.ui import show_probes
from gpt_core.analysis import CachedHistory
from gpt_core.store import Run, StoredProbe


def show_expectations(run: Run, probes: list[StoredProbe]) -> None:
    """Show the probes of a run's last evaluation, and what they are."""
    if not run.training_config.probes:
        return
    if not probes:
        st.text("At each evaluation the model's probabilities of the right tokens are recorded.")
        return
    step = probes[-1].global_step
    st.text(f"At step {step:,}:")
    show_probes(run, [probe for probe in probes if probe.global_step == step], "probe")


def last_probes(run: Run, history: CachedHistory) -> list[StoredProbe]:
    """Return the probes of the last evaluation that has them on record."""
    for step in history.recorded.evaluations["global_step"][
        :-3:-1
    ]:  # they are recorded just after the losses
        if probes := get_visible_runs().probes_at(run.id, int(step)):
            return probes
    return []
