"""Home: what this is, the runs to begin with, and the path through the lecture."""

import time
from contextlib import suppress

import streamlit as st

from dashboard.app import get_store, get_visible_runs, session_keys, show_refusal
from dashboard.components.live_chart import preload
from dashboard.components.recorded_curve import recorded_curve
from dashboard.home import offer_comparison, offer_first_runs
from dashboard.train import replay
from dashboard.ui import STEPS, page_title, run_title, state_badge
from gpt_core.export import import_recorded_run, recorded_losses
from gpt_core.store import RunState

TRAIN_PAGE = "pages/train.py"

if session_keys.RUN in st.query_params:  # a link to a run opens it on Train
    st.switch_page(TRAIN_PAGE, query_params=st.query_params.to_dict())

page_title(
    "Watch a GPT learn",
    "Train a small GPT on the computer that runs this app, on a text you can read, and see it "
    "go from noise to sentences: every loss, every probability, every sample, as it happens.",
    page="Home",
)


def offer_runs() -> None:
    """Offer to train a run, and to watch the recorded one."""
    live = get_visible_runs().own_live_runs()
    if live:
        training = [run for run in live if run.state is RunState.RUNNING]
        if st.button("Open the live run", type="primary"):
            chosen = (training or live)[0]
            st.switch_page(TRAIN_PAGE, query_params={session_keys.RUN: chosen.id})
    else:
        offer_first_runs()
    if st.button(f"Watch a recorded run, {replay.SPEED} × as fast"):
        try:
            recorded = import_recorded_run(get_store())
        except (ValueError, OSError) as error:
            show_refusal(error)
        else:
            began = replay.playing_since(time.time())
            st.switch_page(
                TRAIN_PAGE, query_params={session_keys.RUN: recorded, session_keys.REPLAY: began}
            )
    st.caption(
        "The chapter's model, 162 million parameters, on the same story: seven minutes on two CPU "
        "cores, shown in forty seconds. Nothing has to be computed."
    )


def show_recorded_curve() -> None:
    """Draw the recorded run's losses, if its file is there: its button says why it is not."""
    with suppress(ValueError, OSError):
        recorded_curve(recorded_losses(), key="recorded-curve")
        st.caption("The recorded run: its losses over ten epochs.")


left, right = st.columns([8, 5], gap="large")
with left:
    offer_runs()
with right:
    show_recorded_curve()

latest = get_visible_runs().latest_run()
if latest:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Latest run: {run_title(latest)}")
        state_badge(latest)
        st.page_link(TRAIN_PAGE, label="Open", query_params={session_keys.RUN: latest.id})
offer_comparison()

st.header("The seven steps")
st.markdown(
    "The path of the chapter “Pretraining on unlabeled data”, and of this app: seven steps, each "
    "with its pages."
)
st.html(
    '<div class="gpt-path" role="list">'
    + "".join(
        f'<div role="listitem"><span class="number">{step.number}</span>'
        f"<div><h3>{step.title}</h3><p>{step.sentence} "
        + ", ".join(f'<a href="{title.lower()}" target="_self">{title}</a>' for title in step.pages)
        + "</p></div></div>"
        for step in STEPS
    )
    + "</div>"
)
preload()
