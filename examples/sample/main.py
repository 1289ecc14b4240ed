"""A small program to put into a snapshot."""

from greeting.text import hello

print(hello("Daytona"))
