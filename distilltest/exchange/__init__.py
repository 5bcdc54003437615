"""What comes in from other tools and platforms, and what goes out to them."""
