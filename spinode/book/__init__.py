"""The book: a static site of the executed notebooks, with a live device in it."""
