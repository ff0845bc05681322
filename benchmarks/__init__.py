"""The budgets of the collector, each measured beside the limit that this machine sets in the same run."""
