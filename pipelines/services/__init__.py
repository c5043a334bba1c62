"""Servers and agents of this machine: make up, make down, make agent."""
