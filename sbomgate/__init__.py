"""sbomgate: may this build ship, given exactly what it is made of?"""

__version__ = "0.1.0"
