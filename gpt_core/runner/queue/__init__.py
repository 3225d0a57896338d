"""The order in which waiting runs begin, and the requests of other threads to a thread."""
