"""Sockets: accepting, the two drivers, listeners coming and going."""
