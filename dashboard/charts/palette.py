"""The colours of what is measured: the same thing has the same colour in every chart and chip.

Told apart by colour-blind eyes (blue, orange, green and purple of different lightness), and with
a contrast of at least 3 on the light and on the dark page. The one accent, of buttons and links,
stands in .streamlit/config.toml.
"""

TRAINING = "#2f7fc8"
VALIDATION = "#d9691e"
TARGET = "#1f9d6b"
PREDICTED = "#a463c9"
COPIED = "#c2477a"  # what stands verbatim in the training text
MEASURED = "#74838a"  # what is no loss: norms, rates, sizes

# Runs beside each other, in the order in which they were chosen. Where there are more, the colours
# come again with another mark.
RUNS = (TRAINING, VALIDATION, TARGET, PREDICTED, COPIED, "#8f7d14", MEASURED)
