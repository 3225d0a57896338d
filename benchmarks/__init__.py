"""One command per claim of speed, each a ratio of pairs measured in one run."""
