"""A restaurant on the shipped queue, for drills that need handlers which misbehave: real consumers, real servers."""
