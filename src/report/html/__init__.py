"""What every page is made of: markup, tables, charts, styles, numbers."""
