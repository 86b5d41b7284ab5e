"""The member's role: one account's place in one room's group. The only role that holds keys of the group."""
