"""The parts of the page Inside, each a function that gets what the chosen model read."""
