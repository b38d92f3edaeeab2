"""The file manifest.sqlite: its tables, and how it is opened, read and written safely."""
