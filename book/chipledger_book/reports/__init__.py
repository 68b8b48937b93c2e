"""Reports in the shapes that public reporting duties know, one module a report.

Each is a struct made by a pure function from frozen documents and the book, and is written as
JSON, CSV and HTML. The same question gives the same bytes.
"""
