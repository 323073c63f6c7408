"""The writer on real servers: nothing lost, nothing stored twice, every count exact."""
