"""The pages, one a file; each offers `show()`."""
