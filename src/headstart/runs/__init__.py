"""A question of the user's → the rooms, called in order → a run folder of records and pictures."""
