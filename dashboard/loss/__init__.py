"""The parts of the Loss page."""
