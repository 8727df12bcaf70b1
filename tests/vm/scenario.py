"""A scenario's row in the table of a scenarios/ module."""


class Scenario:
    """name: one word or several with dashes; play: takes a Rig; begins: the state it goes on from; leaves: the state
    that it returns for others."""

    def __init__(self, name, play, begins="backed", leaves=None):
        self.name, self.play, self.begins, self.leaves = name, play, begins, leaves
