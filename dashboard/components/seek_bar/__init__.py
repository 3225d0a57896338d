"""A bar that shows where a replay is, and moves it.

Not ``st.slider``: a redraw that is asked for while its value changes sends the old value back,
which looks like a move. This component reports only what the user does.
"""

from collections.abc import Sequence

from dashboard.components.registration import register

_component = register(
    "seek_bar", '<div class="seek-bar"><input type="range" min="0" step="1"><output></output></div>'
)


def seek_bar(
    step: int, last_step: int, label: str, key: str, names: Sequence[str] = ()
) -> int | None:
    """Show a bar from step 0 to the last; return the step to which it was just moved, or None.

    Args:
        step: where it is. While it is being moved, the browser shows where the user is instead.
        last_step: its end.
        label: its name for screen readers.
        key: identifies the bar on its page.
        names: what is shown for each step instead of its number.
    """
    data = {"step": step, "last_step": last_step, "label": label, "names": list(names)}
    moved = _component(data=data, key=key, on_moved_change=_nothing).moved
    is_step = isinstance(moved, int) and 0 <= moved <= last_step  # the browser may send anything
    return int(moved) if is_step else None


def _nothing() -> None:
    """Do nothing: the callback is what makes Streamlit keep the answer."""
