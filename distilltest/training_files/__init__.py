"""Read, check and write training files, and find test cases that leaked into them."""
