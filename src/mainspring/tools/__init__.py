"""What works on configs and runs from outside: convert, sweep, profile, verify.

Tools import the engine; the engine never imports a tool.
"""
