"""The worker processes: started, watched, replaced when they die."""
