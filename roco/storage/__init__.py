"""Files of results, which are checked when they are read, and the store of finished work by content keys."""
