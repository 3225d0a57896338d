"""Every query parameter and session_state key, in one place."""

import streamlit as st

from dashboard.runtime import get_runner, get_store
from gpt_core import Run

RUN = "run"  # query parameter: the ID of the run that is shown

PRESET = "preset"  # session: name of the preset chosen in the form
TEXT = "text"  # session: name of the text chosen in the form
NEW_TEXT = "new_text"  # session: the text that was just kept, to be chosen
UPLOAD = "upload"  # session: the file uploader
UPLOADS_KEPT = "uploads_kept"  # session: how often it was emptied by keeping what was in it
UPLOADED = "uploaded"  # session: what was read of the files in the uploader
PASTED = "pasted"  # session: a text being pasted
RATIO = "train_ratio"  # session: the share for training
CONTEXT = "context_length"  # session: the length of a window
BATCH = "batch_size"  # session: windows in a batch
STRIDE = "stride"  # session: from one window to the next
BOUNDARY = "boundary"  # session: whether <|endoftext|> is a boundary
MEASURED = "measured"  # session: the seconds that the last measured settings take
PRECISION = "precision"  # session: the precision chosen in the form
KEEP_EPOCHS = "keep_epochs"  # session: how many epochs' weights are kept

OWN_PROBES = "own_probes"  # session: the learner's own probes, in the form

TOKENS_TEXT = "tokens_text"  # session: the text of the Tokens page
ALLOW_SPECIAL = "allow_special"  # session: whether <|endoftext|> is the special token there
IDS_TEXT = "ids_text"  # session: the IDs to decode
WORD = "word"  # session: the word whose merges are shown
WINDOW = "window"  # session: the tokens per window
WINDOW_START = "window_start"  # session: where the window begins

MODEL_FIELD = "model_field"  # session: a field of the model that is drawn
MODEL_PRESET = "model_preset"  # session: the preset that it began from

WALK_ROWS = "walk_rows"  # session: the rows of text on the Loss page
WALK_MODEL = "walk_model"  # session: the model that answers them
WALK_LINK = "walk_link"  # session: the run that the address named when the model was chosen
WALK_STEP = "walk_step"  # session: which checkpoint of a run's
WALK_POSITION = "walk_position"  # session: the position looked at closely
SNAPSHOT = "snapshot"  # session: the step of the live run's copy that is looked at
BINARY_PROBA = "binary_proba"  # session: the probability in the two cross-entropies
BINARY_LABEL = "binary_label"  # session: the right answer there
CLASSES = "classes"  # session: the number of classes there
PROBE = "probe"  # session: the probe whose lines are shown
FOLLOWS = "follows"  # session: whether the newest evaluation is shown as they come
EVALUATION = "evaluation"  # session: the evaluation whose probes are shown


def selected_run() -> Run | None:
    """Return the run that the URL names or, where it names none, the latest."""
    run_id = st.query_params.get(RUN)
    store = get_store()
    return store.run(run_id) if run_id else store.latest_run()


def current_run() -> Run | None:
    """Return the run that trains now or, where none does, the latest."""
    live = get_runner().live_runs()
    return live[0] if live else get_store().latest_run()


def select_run(run_id: str) -> None:
    """Put a run's ID into the URL, so that a reload or a shared link shows it."""
    st.query_params[RUN] = run_id


def outline() -> list[tuple[str, str]]:
    """Return what a page is arranged by: the live, the current and the shown run, by state."""
    runs = [*get_runner().live_runs(), *filter(None, (current_run(), selected_run()))]
    return [(run.id, run.state) for run in runs]
