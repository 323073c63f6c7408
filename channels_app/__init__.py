"""HEAR: which channels are relayed, and the listeners that hear them."""
