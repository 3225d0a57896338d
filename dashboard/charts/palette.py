"""The colours of data: a quantity has the same colour in every chart and chip.

Colour-blind people can tell them apart (blue, orange, green and purple of different lightness),
and their contrast is at least 3 on the light and on the dark page. The accent colour of buttons
and links is set in .streamlit/config.toml.
"""

TRAINING = "#2f7fc8"
VALIDATION = "#d9691e"
TARGET = "#1f9d6b"
PREDICTED = "#a463c9"
COPIED = "#c2477a"  # text copied verbatim from the training text
ATTENTION = "#5b6fd6"  # attention weights
MEASURED = "#74838a"  # quantities that are not losses: norms, rates, sizes

# Runs in a comparison, in the order in which they were chosen. After the last colour they repeat,
# with another marker.
RUNS = (TRAINING, VALIDATION, TARGET, PREDICTED, COPIED, "#8f7d14", MEASURED)
