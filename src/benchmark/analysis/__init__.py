"""What samples say: intervals, curves, bottlenecks, warnings, recommendations. Pure: measures nothing."""
