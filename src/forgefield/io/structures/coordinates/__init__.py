"""Files of positions that leave the elements to the topology they belong to."""
