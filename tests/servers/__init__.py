"""Private servers for tests: loopback only, in a folder of their own, gone when the run is."""
