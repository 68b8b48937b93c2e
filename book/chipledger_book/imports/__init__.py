"""Many events at once: files as people keep them, read, held to the book, and written again."""
