"""Files of results: written whole or not at all, checked when read; and the store of finished work by its content."""
