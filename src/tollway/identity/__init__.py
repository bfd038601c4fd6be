"""Who is calling: keys, tokens, users, organizations, and the verdicts about them."""
