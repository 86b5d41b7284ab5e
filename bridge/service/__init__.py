"""What runs: accounts, their rooms, and the roles that live on what happens there."""
