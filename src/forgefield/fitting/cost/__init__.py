"""The cost made of the targets, and its quadratic model."""
