"""The page and the Markdown of a dataset's last run."""
