"""Turn archives into a dataset: plan, work, record, go on after a crash."""
