"""Force fields that state every interaction of one system, atom by atom, as the topologies of other programs do."""
