"""Speed as ratios against a peer in the same run; each program prints JSON. Not timed tests."""
